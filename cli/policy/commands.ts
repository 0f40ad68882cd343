import { dataDir, type Command } from '#cli/command.ts';

const textOfProblems =
  'Problems go to standard error as `file:line:column path: problem`; with one, nothing is changed.';

/** `eastwest policy …`: the mesh's documents, by the control plane's Unix socket. */
export const policyCommands: readonly Command[] = [
  {
    name: 'policy apply',
    summary: 'put policies into force, all of them or none',
    positionals: ['FILE…'],
    options: { 'dry-run': { help: 'only say what would happen' }, 'data-dir': dataDir },
    examples: [
      ['eastwest policy apply policies/*.yaml', 'print created, changed or unchanged for each document'],
      ['cat shop.yaml | eastwest policy apply - --dry-run', '`-` is standard input'],
    ],
    notes: [
      textOfProblems,
      'What is not named stays as it is; documents that come from the folder of the control plane are changed there.',
      'Exit code: 0 in force (agents follow within a second: `eastwest policy status`), 1 problems, 2 wrong usage.',
    ],
    load: () => import('./apply.ts'),
  },
  {
    name: 'policy get',
    summary: 'list the policies of the mesh, or print some of them',
    positionals: ['[NAME]'],
    options: { json: { help: 'print a JSON array, with revision and source' }, 'data-dir': dataDir },
    examples: [
      ['eastwest policy get', 'a table: kind, namespace, name, revision and source'],
      ['eastwest policy get shop/cart > cart.yaml', 'as YAML; NAME, NAMESPACE/NAME or KIND/NAMESPACE/NAME'],
    ],
    notes: ['Exit code: 0, 1 when there is none of that name, 2 wrong usage.'],
    load: () => import('./get.ts'),
  },
  {
    name: 'policy diff',
    summary: 'show what `policy apply` would change',
    positionals: ['FILE…'],
    options: { 'data-dir': dataDir },
    examples: [['eastwest policy diff policies/*.yaml', 'lines that would go and come, document by document']],
    notes: [textOfProblems, 'Exit code: 0 nothing would change, 3 something would, 1 problems, 2 wrong usage.'],
    load: () => import('./diff.ts'),
  },
  {
    name: 'policy delete',
    summary: 'take one policy out of force',
    positionals: ['KIND/NAMESPACE/NAME'],
    options: { 'data-dir': dataDir },
    examples: [['eastwest policy delete AuthorizationPolicy/shop/cart', 'as `policy get` names it']],
    notes: ['Exit code: 0, 1 when there is none or it comes from a file, 2 wrong usage.'],
    load: () => import('./delete.ts'),
  },
  {
    name: 'policy status',
    summary: 'show which agents have the newest policies, and who is behind',
    positionals: [],
    options: { json: { help: 'print JSON' }, 'data-dir': dataDir },
    examples: [
      ['eastwest policy status', 'per workload; who is behind, since when, and why'],
      ['eastwest policy status --json', 'for a script; exit code 3 while somebody is behind'],
    ],
    notes: ['Exit code: 0 every connected agent has what the newest revision says for it, 3 some have not.'],
    load: () => import('./status.ts'),
  },
];
