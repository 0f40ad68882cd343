import { dataDir, operatorFile, type Command, type Option } from '#cli/command.ts';
import type { RegistryAction } from '#proto/registry-messages.ts';

const reach = { operator: operatorFile, 'data-dir': dataDir };
const revision: Option = { value: 'N', help: 'only if it still has the revision that `app show` printed' };
const name = 'NAME';
const named = 'NAME is a client_id or an audience; Client/NAME or Service/NAME where it is both.';

const load = (action: RegistryAction) => async () => {
  const { changing } = await import('./change.ts');
  return { run: changing(action) };
};

/** `eastwest app …`: who may ask for tokens, and for which. */
export const appCommands: readonly Command[] = [
  {
    name: 'app register',
    summary: 'register clients and services, all of them or none',
    positionals: ['FILE…'],
    options: { json: { help: 'print a JSON array, with the secrets that were made' }, ...reach },
    examples: [
      ['eastwest app register apps/*.yaml', 'print registered, proposed, changed or unchanged for each document'],
      ['eastwest app register billing.yaml --operator alice.credential', 'as the operator alice'],
      ['cat billing.yaml | eastwest app register -', '`-` is standard input'],
    ],
    notes: [
      'Problems go to standard error as `file:line:column path: problem`; with one, nothing is changed.',
      'With `approval: admin` (the default) it waits for another operator: `eastwest app approve`.',
      'A client with `authentication: client-secret` gets its secret here, once; only its hash is kept.',
      'Exit code: 0 registered or waiting for approval, 1 problems, 2 wrong usage.',
    ],
    load: () => import('./register.ts'),
  },
  {
    name: 'app approve',
    summary: 'put into force what another operator proposed',
    positionals: [name],
    options: { revision, ...reach },
    examples: [
      ['eastwest app approve billing-export --operator bob.credential', 'prints what it approves'],
      ['eastwest app approve billing-export --revision 3', 'only what `app show` showed'],
    ],
    notes: [named, 'Whoever proposed it cannot approve it. Exit code: 0, 1 when nothing was approved, 2 wrong usage.'],
    load: load('approve'),
  },
  {
    name: 'app reject',
    summary: 'throw away what waits for approval; what is in force stays',
    positionals: [name],
    options: { revision, ...reach },
    examples: [['eastwest app reject billing-export --operator bob.credential', 'the proposal is gone']],
    notes: [named],
    load: load('reject'),
  },
  {
    name: 'app list',
    summary: 'list clients and services, what waits for approval, and names that are held',
    positionals: [],
    options: { json: { help: 'print JSON' }, ...reach },
    examples: [
      ['eastwest app list', 'a table'],
      ['eastwest app list --json', 'for a script'],
    ],
    load: () => import('./list.ts'),
  },
  {
    name: 'app show',
    summary: 'show one registration: its document, its secrets by their IDs, and what waits',
    positionals: [name],
    options: { json: { help: 'print JSON' }, ...reach },
    examples: [['eastwest app show Client/billing-export', 'in force, and what an approval would change']],
    notes: [named],
    load: () => import('./show.ts'),
  },
  {
    name: 'app disable',
    summary: 'give a client no more tokens, or nobody any for a service',
    positionals: [name],
    options: { revision, ...reach },
    examples: [['eastwest app disable billing-export', 'at once, without approval; `app enable` undoes it']],
    notes: [named],
    load: load('disable'),
  },
  {
    name: 'app enable',
    summary: 'undo `app disable`',
    positionals: [name],
    options: { revision, ...reach },
    examples: [['eastwest app enable billing-export --operator bob.credential', 'an approver does that']],
    notes: [named],
    load: load('enable'),
  },
  {
    name: 'app delete',
    summary: 'delete a registration; its name is held until nothing of it can be good any more',
    positionals: [name],
    options: { revision, ...reach },
    examples: [['eastwest app delete Service/payments', 'refused while clients name it']],
    notes: [named],
    load: load('delete'),
  },
  {
    name: 'app rotate-secret',
    summary: 'make a new secret for a client; the one before stays good for a while',
    positionals: [name],
    options: {
      overlap: { value: 'TIME', help: 'how long the one before stays good (default: 24h)' },
      now: { help: 'the one before ends at once' },
      ...reach,
    },
    examples: [
      ['eastwest app rotate-secret billing-export --overlap 1h > secret', 'only the secret goes to stdout'],
      ['eastwest app rotate-secret billing-export --now', 'the old one leaked'],
    ],
    notes: [named, 'With `approval: admin` the new one counts once another operator has approved it.'],
    load: () => import('./rotate-secret.ts'),
  },
];
