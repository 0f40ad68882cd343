import type { Run } from './edge.ts';

export interface Option {
  /** How the value is written in the help, e.g. `HOST:PORT`; none for a flag. */
  readonly value?: string;
  readonly help: string;
}

export interface Command {
  /** One or two words, e.g. `token create`. */
  readonly name: string;
  readonly summary: string;
  /** Positional arguments as the help shows them; `[x]` may be left out. */
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
  readonly examples: readonly (readonly [command: string, meaning: string])[];
  /** What else one must know, a line each. */
  readonly notes?: readonly string[];
  /** Loads the command's own code: nobody pays for another command's imports. */
  load(): Promise<{ readonly run: Run }>;
}

const stateDir: Option = { value: 'DIR', help: 'where `up` keeps its state (default: .eastwest)' };

/** Every command there is. Help, parsing and the suggestions for typos are made from this list. */
export const commands: readonly Command[] = [
  {
    name: 'up',
    summary: 'start a whole mesh from one file: control plane, one agent per workload, and the apps',
    positionals: ['[mesh.yaml]'],
    options: {
      for: { value: 'TIME', help: 'end by itself this long after everything is ready, e.g. 60s' },
      json: { help: 'print one JSON object per line; the last line is the summary' },
      'state-dir': stateDir,
    },
    examples: [
      ['eastwest up', 'run ./mesh.yaml until Ctrl-C'],
      ['eastwest up examples/shop/mesh.yaml --for 60s', 'run for a minute; exit code 1 if any request failed'],
      ['eastwest up --for 45s --json | tail -n 1', 'only the summary, for a script'],
    ],
    notes: [
      'requests: GETs of `traffic` that ended, plus HTTP requests the apps began, as their agents counted them.',
      'failed: of those, no complete 2xx answer within the deadline (`traffic`), or an error of ours (agents).',
      'resets: TCP and WebSocket streams that an agent or its peer cut, plus GETs of `traffic` whose connection broke.',
      'Counted from ready until it begins to stop, asked of the agents every second and over their restarts; what an',
      'agent counted in the last second before it was killed is lost.',
      'Exit code: 1 if anything failed or was reset, an app crashed or never opened its ports, or the mesh could not start.',
      'A crash is an end that `up` did not ask for, also with code 0; the app is then started again.',
      'Logs are in .eastwest/logs. Whatever way it ends, SIGKILL included, nothing it started keeps running, except',
      'what an app moved out of its own process group.',
    ],
    load: () => import('./up/up.ts'),
  },
  {
    name: 'control-plane',
    summary: 'run the control plane: certificate authority, registry and discovery',
    positionals: [],
    options: {
      config: { value: 'FILE', help: 'control-plane.yaml; the flags below override it' },
      'data-dir': { value: 'DIR', help: 'store, trust bundle and admin socket; made with mode 0700' },
      'trust-domain': { value: 'NAME', help: 'e.g. prod.example; fixed at the first start' },
      listen: { value: 'HOST:PORT', help: 'where agents connect' },
      'svid-life': { value: 'TIME', help: 'life of the certificates it issues, e.g. 1h' },
      'key-file': { value: 'FILE', help: 'key that encrypts the CA keys at rest' },
      'passphrase-file': { value: 'FILE', help: 'passphrase that encrypts the CA keys at rest' },
    },
    examples: [
      ['eastwest control-plane --data-dir /var/lib/eastwest --trust-domain prod.example', 'first start makes the CA'],
      ['eastwest control-plane --config control-plane.yaml --svid-life 10m', 'a file, and one setting on top'],
    ],
    load: () => import('./control-plane.ts'),
  },
  {
    name: 'agent',
    summary: 'run the sidecar of one workload',
    positionals: [],
    options: { config: { value: 'FILE', help: 'agent.yaml (required)' } },
    examples: [
      ['eastwest agent --config agent.yaml', 'identity from a control plane or from a folder of files'],
      ['eastwest token create prices | eastwest agent --config agent.yaml', 'with `joinToken: { stdin: true }`'],
    ],
    load: () => import('./agent.ts'),
  },
  {
    name: 'token create',
    summary: 'make a join token: works once, for one agent of one workload',
    positionals: ['WORKLOAD'],
    options: {
      namespace: { value: 'NAME', help: 'namespace of the workload (default: default)' },
      ttl: { value: 'TIME', help: 'how long the token may wait to be used (default: 10m)' },
      'data-dir': { value: 'DIR', help: "the control plane's data directory (default: .eastwest/control-plane)" },
      json: { help: 'print token, SPIFFE ID and expiry as JSON' },
    },
    examples: [
      ['eastwest token create prices --data-dir /var/lib/eastwest > prices.token', 'only the token goes to stdout'],
      ['eastwest token create prices --ttl 2m --json', 'for a script'],
    ],
    load: () => import('./token-create.ts'),
  },
  {
    name: 'status',
    summary: 'show what a running `eastwest up` shows: identities, expiry, rotations, requests',
    positionals: [],
    options: { json: { help: 'the same JSON as the last line of `up --json`' }, 'state-dir': stateDir },
    examples: [
      ['eastwest status', 'the table that `up` shows in a terminal'],
      ['eastwest status --json', 'for a script'],
    ],
    load: () => import('./status.ts'),
  },
  {
    name: 'cert show',
    summary: 'show a certificate and say whether the mesh would accept it',
    positionals: ['WORKLOAD|HOST:PORT|FILE'],
    options: {
      bundle: { value: 'FILE', help: "trust bundle to judge by (default: the running mesh's own)" },
      json: { help: 'print JSON' },
      'state-dir': stateDir,
    },
    examples: [
      ['eastwest cert show prices', 'what the agent of a running mesh presents right now'],
      ['eastwest cert show 127.0.0.1:15008 --bundle trust-bundle.pem', 'what any mTLS server presents'],
      ['eastwest cert show tls.crt --bundle ca.crt', 'a file'],
    ],
    load: () => import('./cert-show.ts'),
  },
];
