import { dataDir, operatorFile, type Command } from '#cli/command.ts';

const reach = { operator: operatorFile, 'data-dir': dataDir };

/** `eastwest sts …`: the keys that tokens are signed with. */
export const stsCommands: readonly Command[] = [
  {
    name: 'sts keys',
    summary: 'list the keys that sign tokens: next, current and previous',
    positionals: [],
    options: { json: { help: 'print JSON' }, ...reach },
    examples: [['eastwest sts keys', 'a table, and how many agents know the newest']],
    load: () => import('./keys.ts'),
  },
  {
    name: 'sts revoke-key',
    summary: 'make a signing key worthless everywhere, at once: for a key that leaked',
    positionals: ['KID'],
    options: reach,
    examples: [['eastwest sts revoke-key Wb3…', 'a key ID as `eastwest sts keys` prints it']],
    notes: [
      'Every token that it signed is refused from now on, those in use as well: agents ask for new ones.',
      'The next key signs as soon as verifiers can know it; until then no tokens are issued.',
    ],
    load: () => import('./revoke-key.ts'),
  },
];
