import { dataDir, operatorFile, type Command } from '#cli/command.ts';

const reach = { operator: operatorFile, 'data-dir': dataDir };

/** `eastwest operator …`: who may register, approve and read the audit log. */
export const operatorCommands: readonly Command[] = [
  {
    name: 'operator add',
    summary: 'name an operator and make a credential for them',
    positionals: ['NAME'],
    options: {
      role: { value: 'ROLE', isList: true, help: 'registrar, approver, auditor or admin; again for more' },
      ...reach,
    },
    examples: [
      ['eastwest operator add alice --role registrar > alice.credential', 'only the credential goes to stdout'],
      ['eastwest operator add bob --role approver --role auditor', 'two roles'],
    ],
    notes: [
      'A registrar registers, an approver approves what others registered, an auditor reads the audit log, an admin may all.',
      'Before the first admin is named, the owner of the admin socket is one. From then on everybody names their credential.',
      'The credential is shown this once; only its hash is kept. Its file is for your eyes only: `umask 077` before.',
    ],
    load: () => import('./add.ts'),
  },
  {
    name: 'operator list',
    summary: 'list operators and their roles',
    positionals: [],
    options: { json: { help: 'print JSON' }, ...reach },
    examples: [['eastwest operator list', 'a table']],
    load: () => import('./list.ts'),
  },
  {
    name: 'operator remove',
    summary: 'remove an operator; their credential ends at once',
    positionals: ['NAME'],
    options: reach,
    examples: [['eastwest operator remove alice --operator admin.credential', 'what alice registered stays']],
    load: () => import('./remove.ts'),
  },
  {
    name: 'operator reset',
    summary: 'remove every admin, while the control plane is stopped: for a lost credential',
    positionals: [],
    options: { 'data-dir': dataDir },
    examples: [['eastwest operator reset --data-dir /var/lib/eastwest', 'the owner of the socket is admin again']],
    notes: ['It is in the audit log. Whoever can write the data directory can do that.'],
    load: () => import('./reset.ts'),
  },
];
