import { appCommands } from './app/commands.ts';
import { dataDir, operatorFile, stateDir, type Command } from './command.ts';
import { operatorCommands } from './operator/commands.ts';
import { policyCommands } from './policy/commands.ts';
import { stsCommands } from './sts/commands.ts';

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
      policies: { value: 'DIR', help: 'folder whose *.yaml files are policies of the mesh; followed' },
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
      'data-dir': dataDir,
      json: { help: 'print token, SPIFFE ID and expiry as JSON' },
    },
    examples: [
      ['eastwest token create prices --data-dir /var/lib/eastwest > prices.token', 'only the token goes to stdout'],
      ['eastwest token create prices --ttl 2m --json', 'for a script'],
    ],
    load: () => import('./token-create.ts'),
  },
  ...policyCommands,
  ...appCommands,
  ...operatorCommands,
  ...stsCommands,
  {
    name: 'audit',
    summary: 'print the audit log of the control plane, and check that its chain is unbroken',
    positionals: [],
    options: {
      since: { value: 'TIME', help: 'only from then on: 1h, or 2026-01-31T12:00:00Z; the chain is not checked then' },
      json: { help: 'print the records as they are stored, a line each' },
      operator: operatorFile,
      'data-dir': dataDir,
    },
    examples: [
      ['eastwest audit', 'every issuance, registration, approval and refusal'],
      ['eastwest audit --since 1h --json', 'for a script'],
    ],
    notes: ['Exit code: 0, 1 when the chain is broken, 2 wrong usage.'],
    load: () => import('./audit.ts'),
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
  {
    name: 'explain',
    summary: 'say why policies allow or refuse a call, and the smallest edit that would allow it',
    positionals: ['[METHOD|DECISION-ID]', '[PATH]'],
    options: {
      agent: {
        value: 'SOCKET',
        isList: true,
        help: 'admin socket of an agent to ask for the decision; again for more',
      },
      'state-dir': stateDir,
      policies: { value: 'FILE|DIR', isList: true, help: 'a YAML file, or a folder of them; again for more' },
      from: { value: 'WORKLOAD', help: 'who calls: cart, shop/cart (namespace first) or a SPIFFE ID' },
      plaintext: { help: 'instead of --from: a caller who proves nothing' },
      to: { value: 'WORKLOAD', help: 'who is called' },
      port: { value: 'N', help: 'port of the call (default: 80, if no policy names a port)' },
      host: { value: 'HOST', help: 'host of the request (default: the name of --to)' },
      header: { value: 'FIELD', isList: true, help: "header of the request, e.g. 'x-env: test'; again for more" },
      'trust-domain': {
        value: 'NAME',
        help: 'of short names (default: the one that the policies name, or example.org)',
      },
      json: { help: 'print JSON' },
    },
    examples: [
      ['eastwest explain --policies policies/ --from cart --to payments GET /prices/1', 'a request'],
      ['eastwest explain --policies p.yaml --from shop/cart --to shop/db --port 5432', 'an opaque call'],
      ['eastwest explain J7eKx0pW_2aQ', 'a refusal of a running `up`, by its x-eastwest-decision'],
      ['eastwest explain J7eKx0pW_2aQ --agent /run/eastwest/admin.sock', 'of this agent'],
    ],
    notes: [
      'With --policies it reads files only: no mesh must run. The engine is the one that the agents use.',
      'A decision is explained by the rules as they stood. Agents keep the last 1,000 refusals, until they end.',
      'Exit code: 0 if the call is allowed, 1 if it is refused, 2 if no agent knows the decision, or what was asked or a',
      'policy cannot be read.',
      'Of deny lists, entries that name the SPIFFE ID of the caller count; serials and keys are not known here.',
    ],
    load: () => import('./explain.ts'),
  },
  {
    name: 'strict-check',
    summary: 'say whether strict mTLS is safe, and which plaintext callers it would cut off',
    positionals: [],
    options: {
      agent: { value: 'SOCKET', isList: true, help: 'admin socket of an agent to ask; again for more' },
      'state-dir': stateDir,
      for: { value: 'TIME', help: 'so long must nobody have been let in in plaintext (default: 24h)' },
      json: { help: 'print JSON' },
    },
    examples: [
      ['eastwest strict-check', 'all agents of a running `up`, or those that --state-dir names'],
      ['eastwest strict-check --agent /run/eastwest/admin.sock --for 168h', 'one agent, over a whole week'],
    ],
    notes: [
      'Agents write down who calls ports that have a listener of their own (`inbound.ports[].listen`) in plaintext, over',
      'restarts too where they have a `stateDir`. A caller is an address: who is behind it nobody proved.',
      'Exit code: 0 if strict is safe, 1 if somebody would break, 2 if that cannot be told: observed for too short, more',
      'callers than the ledger holds, or an agent that does not answer.',
    ],
    load: () => import('./strict-check/strict-check.ts'),
  },
  {
    name: 'policy test',
    summary: 'ask policies a table of calls and compare the verdicts with those expected',
    positionals: ['FILE'],
    options: {},
    examples: [['eastwest policy test payments.test.yaml', 'exit code 1 if a case failed, for CI']],
    notes: [
      'FILE is YAML: `policies: [FILE|DIR, …]` (from its own folder on) and `cases`, each with `from`, `to` and',
      '`expect: allow|deny`, and where they matter `method` and `path`, `port`, `host`, `headers`, `rule`, `name`.',
      'Exit code: 0 if every case passed, 1 if one failed, 2 if the table or a policy cannot be read.',
    ],
    load: () => import('./policy-test.ts'),
  },
];
