export const productRooms = ['agent', 'certs', 'cli', 'control-plane', 'policy', 'proto', 'runtime', 'tokens'];

/** What files below `of` may import from the rooms; longest match counts, own folder is always open. */
export interface RoomRow {
  readonly of: string;
  readonly mayImport: readonly string[];
  readonly because: string;
}

export const roomRows: readonly RoomRow[] = [
  { of: 'runtime/', mayImport: [], because: 'every room stands on runtime, so it can stand on none' },
  {
    of: 'certs/',
    mayImport: ['runtime/result.ts'],
    because: 'certs is pure: values in, values out; clocks, files and sockets belong to its callers',
  },
  {
    of: 'tokens/',
    mayImport: ['certs/', 'runtime/result.ts'],
    because: 'tokens is pure: a verdict depends on the token, the keys and the time given, nothing else',
  },
  {
    of: 'policy/',
    mayImport: ['certs/', 'runtime/result.ts', 'runtime/documents.ts', 'runtime/closest.ts'],
    because: 'policy is pure: a decision depends on the rules and the call, nothing else',
  },
  {
    of: 'proto/',
    mayImport: ['certs/', 'runtime/'],
    because: 'proto is the wire between agent and control plane and must work for both, so it knows neither',
  },
  {
    of: 'agent/',
    mayImport: ['certs/', 'policy/', 'proto/', 'runtime/', 'tokens/'],
    because: 'agent and control plane are separate programs; they meet on the wire, in proto',
  },
  {
    of: 'control-plane/',
    mayImport: ['certs/', 'policy/', 'proto/', 'runtime/', 'tokens/'],
    because: 'agent and control plane are separate programs; they meet on the wire, in proto',
  },
  {
    of: 'cli/',
    mayImport: ['agent/', 'certs/', 'control-plane/', 'policy/', 'proto/', 'runtime/'],
    because: 'the command line starts both programs, so nothing else may depend on it',
  },
  {
    of: 'examples/',
    mayImport: [],
    because: 'the example apps are unmodified services: they know nothing of the mesh',
  },
  {
    of: 'test/bench/',
    mayImport: ['bench/', 'runtime/', 'test/support/'],
    because: 'the bench is not part of the product: only its own tests know it',
  },
  {
    of: 'test/',
    mayImport: [
      ...productRooms.map((room) => `${room}/`),
      'bench/subjects/',
      'bench/certificates.ts',
      'bench/proc.ts',
      'bench/programs.ts',
    ],
    because: 'tests may use every room, the helpers beside them, and what the bench sets up and reads from the system',
  },
  {
    of: 'bench/',
    mayImport: ['test/support/', ...productRooms.map((room) => `${room}/`)],
    because: 'benches may use every room; nothing imports them',
  },
];

/** Inside one room: files below `of` never import files below `never`. */
export const innerRows = [
  ['agent/outbound/', 'agent/inbound/', 'the two directions share agent/http and agent/tunnel, never each other'],
  ...['inbound/', 'outbound/', 'tunnel/', 'gateway/', 'admin/', 'identity/'].map(
    (part) => [`agent/${part}`, 'agent/workers/', 'in which thread a part runs is none of its business'] as const,
  ),
  ['agent/workers/', 'agent/inbound/', 'workers run the data path as a whole, by its interface'],
  ['agent/tunnel/', 'agent/tokens/', 'what is attached comes with the request: a tunnel knows its certificate only'],
  ['agent/inbound/', 'agent/outbound/', 'the two directions share agent/http and agent/tunnel, never each other'],
  ...['agent/identity/', 'agent/tls/', 'agent/tunnel/', 'agent/http/', 'agent/protocol/', 'agent/proof/'].flatMap(
    (of) =>
      ['agent/outbound/', 'agent/inbound/'].map(
        (never) => [of, never, 'both directions stand on this folder'] as const,
      ),
  ),
] as const;

/** The floors of the data path: files below `of` (the first that fits) use these parts of the agent and their own folder. */
export const floorRows: readonly RoomRow[] = [
  {
    of: 'agent/pipe/',
    mayImport: ['agent/config-types.ts'],
    because: 'pipes are bytes: what is said in them is known above',
  },
  {
    of: 'agent/h2/',
    mayImport: ['agent/pipe/', 'agent/http/header-field.ts'],
    because: 'the HTTP/2 engine knows frames and fields over a pipe, not what messages mean',
  },
  {
    of: 'agent/http/h2/',
    mayImport: ['agent/pipe/', 'agent/h2/', 'agent/http/'],
    because: 'HTTP messages over HTTP/2 stand on the engine and on the message rules, and on no direction',
  },
  {
    of: 'agent/http/',
    mayImport: ['agent/pipe/'],
    because: 'the rules of messages and HTTP/1.1 need pipes only: what HTTP/2 adds is in agent/http/h2',
  },
  {
    of: 'agent/protocol/',
    mayImport: ['agent/pipe/', 'agent/h2/', 'agent/http/'],
    because: 'which protocol a connection speaks does not depend on where it comes from or goes to',
  },
  {
    of: 'agent/proxy-protocol/',
    mayImport: ['agent/config-types.ts'],
    because: 'a header is bytes made of facts: who knows them, and when it is sent, is known above',
  },
  {
    of: 'agent/proof/',
    mayImport: ['h2/', 'http/header-field.ts', 'http/port-header.ts', 'tls/', 'identity/', 'events.ts'].map(
      (part) => `agent/${part}`,
    ),
    because: 'a proof is bound to a session, not to what is carried in it',
  },
  {
    of: 'agent/tunnel/',
    mayImport: ['pipe', 'h2', 'http', 'proof', 'tls', 'identity', 'config-types.ts'].map((part) => `agent/${part}`),
    because: 'the tunnel carries what the two directions give it, and counts through what they pass in',
  },
];

/** The only files (or folders) through which a package enters. */
export interface Door {
  readonly package: string;
  readonly doors: readonly (string | RegExp)[];
  readonly because: string;
}

export const doorRows: readonly Door[] = [
  { package: 'pino', doors: ['runtime/log.ts'], because: 'what can be logged is a list of events, not a logger' },
  {
    package: 'chokidar',
    doors: ['runtime/file-watch.ts'],
    because: 'swapped symlinks and half-written files are handled once',
  },
  { package: 'yaml', doors: ['runtime/documents.ts'], because: 'duplicate keys and sizes are refused in one place' },
  {
    package: 'node-forge',
    doors: ['certs/x509.ts', 'certs/node-forge-asn1.d.ts'],
    because: 'one reading and one writing of DER',
  },
  {
    package: 'jose',
    doors: ['tokens/sign.ts'],
    because: 'it signs; what comes from outside is read by the strict reader',
  },
  { package: '@grpc/grpc-js', doors: ['proto/'], because: 'deadlines, cancellation and pinning are set once, here' },
  { package: 'protobufjs', doors: ['proto/'], because: 'messages leave proto parsed and typed, never as wire objects' },
  {
    package: 'zod',
    doors: [
      /^[\w-]+\/config(-[a-z-]+)?\.ts$/,
      /^policy\/(documents|schema-[a-z-]+)\.ts$/,
      /^control-plane\/registry\/(documents|schema-[a-z-]+)\.ts$/,
      'proto/messages.ts',
      'cli/up/mesh-schema.ts',
      'cli/up/agent-status.ts',
      'cli/policy-test-file.ts',
    ],
    because: 'shapes are checked where input enters; inside, types are proof enough',
  },
  {
    package: 'prom-client',
    doors: ['agent/admin/exposition.ts'],
    because: 'metrics are shown at the admin port; elsewhere they are plain numbers',
  },
  {
    package: 'fastify',
    doors: ['control-plane/api/tokens-http.ts'],
    because: 'HTTP is one door to the token service, which knows none',
  },
  {
    package: 'node:sqlite',
    doors: ['control-plane/store/'],
    because: 'the store is an interface with engines behind it',
  },
];
