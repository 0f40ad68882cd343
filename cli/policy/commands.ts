import { dataDir, stateDir, type Command } from '#cli/command.ts';

const textOfProblems =
  'Problems go to standard error as `file:line:column path: problem`; with one, nothing is changed.';

/** `eastwest policy …`: the mesh's documents, by the control plane's Unix socket. */
export const policyCommands: readonly Command[] = [
  {
    name: 'policy apply',
    summary: 'put policies into force, all of them or none',
    positionals: ['FILE|DIR…'],
    options: { 'dry-run': { help: 'only say what would happen' }, 'data-dir': dataDir },
    examples: [
      ['eastwest policy apply policies', 'print created, changed or unchanged for each document'],
      ['cat shop.yaml | eastwest policy apply - --dry-run', '`-` is standard input'],
    ],
    notes: [
      textOfProblems,
      'What is in force but may not be meant is told there too, as `… warning: …`; it changes no exit code.',
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
    positionals: ['FILE|DIR…'],
    options: { 'data-dir': dataDir },
    examples: [['eastwest policy diff policies', 'lines that would go and come, document by document']],
    notes: [
      textOfProblems,
      'What may not be meant is told there too, as `… warning: …`.',
      'Exit code: 0 nothing would change, 3 something would, 1 problems, 2 wrong usage.',
    ],
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
      ['eastwest policy status', 'per workload; who is behind, since when, and why; whether the mesh is open'],
      ['eastwest policy status --json', 'for a script; exit code 3 while somebody is behind'],
    ],
    notes: ['Exit code: 0 every connected agent has what the newest revision says for it, 3 some have not.'],
    load: () => import('./status.ts'),
  },
  {
    name: 'policy learn',
    summary: 'write the least ALLOW policies that admit what access logs tell',
    positionals: ['[FILE|DIR|-]…'],
    options: {
      'state-dir': stateDir,
      to: { value: 'WORKLOAD', help: 'learn only calls to this one: prices, or shop/prices (namespace first)' },
      policies: { value: 'FILE|DIR', isList: true, help: 'current policies to compare with; again for more' },
      'data-dir': { value: 'DIR', help: 'compare with what this control plane has in force' },
      since: { value: 'TIME', help: 'only calls from then on: 30m (ago), or 2026-01-31T12:00:00Z' },
      'min-values': { value: 'N', help: 'so many different IDs in one place of a path become {*} (default: 5)' },
      'include-denied': { help: 'learn calls that were refused because no rule matched, too' },
      out: { value: 'FILE', help: 'write the policies there, and the comparison to standard output' },
      force: { help: 'write over a file that is there' },
      json: { help: 'print policies, comparison and what was left out as JSON' },
    },
    examples: [
      ['eastwest policy learn --out learned.yaml', 'from the access logs of an `up` in this folder'],
      [
        'eastwest policy learn /var/log/eastwest --to shop/prices --data-dir cp',
        "one workload's, beside what is in force",
      ],
      ['zcat access.log.*.gz | eastwest policy learn - --policies policies', 'from standard input'],
    ],
    notes: [
      'Without a FILE it reads the access logs of `up`, running or not, and compares with what that has in force.',
      "A folder's access logs are its files *access*.log, .jsonl or .json, also turned over (.1, .gz).",
      'Lines of other kinds are counted and told. Memory does not grow with the log.',
      'Ten times N words in one place become {*} as well; the first segment of a path and methods never do.',
      'Exit code: 0; 2 for what cannot be read, or wrong usage; 1 something failed.',
    ],
    load: () => import('./learn.ts'),
  },
  {
    name: 'policy lint',
    summary: 'report scope templates whose names do not follow from verb and path, and requests without one',
    positionals: ['FILE|DIR…'],
    options: {
      'access-log': { value: 'FILE|DIR', isList: true, help: 'requests to look for in the templates; again for more' },
      json: { help: 'print JSON' },
    },
    examples: [
      ['eastwest policy lint policies', 'DELETE /api/v1/groups/{id}/documents/{id} is groups.documents.delete'],
      ['eastwest policy lint policies --access-log /var/log/eastwest', 'and requests that no template describes'],
    ],
    notes: [
      'Reported: names that do not follow, paths from which none follows, templates that lie in others or overlap them.',
      'Access logs hold no query: many calls of one path without a variable are told as opaque.',
      'Exit code: 0 nothing to report, 1 something, 2 what cannot be read, or wrong usage.',
    ],
    load: () => import('./lint.ts'),
  },
];
