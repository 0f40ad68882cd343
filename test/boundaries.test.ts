import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findCycle, importsOf, packageOf, targetOf, type Import, type Sources } from '#support/import-graph.ts';

const productRooms = ['agent', 'certs', 'cli', 'control-plane', 'policy', 'proto', 'runtime'];

/** What files below `of` may import from the rooms; longest match counts, own folder is always open. */
interface RoomRow {
  readonly of: string;
  readonly mayImport: readonly string[];
  readonly because: string;
}

const roomRows: readonly RoomRow[] = [
  { of: 'runtime/', mayImport: [], because: 'every room stands on runtime, so it can stand on none' },
  {
    of: 'certs/',
    mayImport: ['runtime/result.ts'],
    because: 'certs is pure: values in, values out; clocks, files and sockets belong to its callers',
  },
  {
    of: 'policy/',
    mayImport: ['certs/', 'runtime/result.ts'],
    because: 'policy is pure: a decision depends on the rules and the call, nothing else',
  },
  {
    of: 'proto/',
    mayImport: ['certs/', 'runtime/'],
    because: 'proto is the wire between agent and control plane and must work for both, so it knows neither',
  },
  {
    of: 'agent/',
    mayImport: ['certs/', 'policy/', 'proto/', 'runtime/'],
    because: 'agent and control plane are separate programs; they meet on the wire, in proto',
  },
  {
    of: 'control-plane/',
    mayImport: ['certs/', 'policy/', 'proto/', 'runtime/'],
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
      'bench/programs.ts',
    ],
    because: 'tests may use every room, the helpers beside them, and the proxies that the bench sets up',
  },
  {
    of: 'bench/',
    mayImport: ['test/support/', ...productRooms.map((room) => `${room}/`)],
    because: 'benches may use every room; nothing imports them',
  },
];

/** Inside one room: files below `of` never import files below `never`. */
const innerRows = [
  ['agent/outbound/', 'agent/inbound/', 'the two directions share agent/http and agent/tunnel, never each other'],
  ...['inbound/', 'outbound/', 'tunnel/', 'gateway/', 'admin/', 'identity/'].map(
    (part) => [`agent/${part}`, 'agent/workers/', 'in which thread a part runs is none of its business'] as const,
  ),
  ['agent/workers/', 'agent/inbound/', 'workers run the data path as a whole, by its interface'],
  ['agent/inbound/', 'agent/outbound/', 'the two directions share agent/http and agent/tunnel, never each other'],
  ...['agent/identity/', 'agent/tls/', 'agent/tunnel/', 'agent/http/', 'agent/protocol/', 'agent/proof/'].flatMap(
    (of) =>
      ['agent/outbound/', 'agent/inbound/'].map(
        (never) => [of, never, 'both directions stand on this folder'] as const,
      ),
  ),
] as const;

/** The floors of the data path: files below `of` (the first that fits) use these parts of the agent and their own folder. */
const floorRows: readonly RoomRow[] = [
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
interface Door {
  readonly package: string;
  readonly doors: readonly (string | RegExp)[];
  readonly because: string;
}

const doorRows: readonly Door[] = [
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
  { package: '@grpc/grpc-js', doors: ['proto/'], because: 'deadlines, cancellation and pinning are set once, here' },
  { package: 'protobufjs', doors: ['proto/'], because: 'messages leave proto parsed and typed, never as wire objects' },
  {
    package: 'zod',
    doors: [/^[\w-]+\/config(-[a-z-]+)?\.ts$/, 'proto/messages.ts', 'cli/up/mesh-schema.ts', 'cli/up/agent-status.ts'],
    because: 'shapes are checked where input enters; inside, types are proof enough',
  },
  {
    package: 'prom-client',
    doors: ['agent/admin/exposition.ts'],
    because: 'metrics are shown at the admin port; elsewhere they are plain numbers',
  },
  {
    package: 'node:sqlite',
    doors: ['control-plane/store/'],
    because: 'the store is an interface with engines behind it',
  },
];

const unboundFolders = ['test/', 'bench/'];
const startsWithAny = (file: string, starts: readonly string[]): boolean => starts.some((s) => file.startsWith(s));

/** One line per broken row: who imports what, and why that may not be. */
function brokenRows(sources: Sources): readonly string[] {
  const imports = [...sources].flatMap(([file, text]) => importsOf(file, text));
  const broken = imports.flatMap((each) => {
    const reason =
      pathProblem(each) ?? roomProblem(each) ?? innerProblem(each) ?? floorProblem(each) ?? doorProblem(each);
    return reason === undefined ? [] : [`${each.from} imports ${each.specifier}: ${reason}`];
  });
  const cycle = findCycle(sources);
  return cycle ? [...broken, `${cycle.join(' → ')}: a cycle has no first file to understand`] : broken;
}

function pathProblem({ from, specifier }: Import): string | undefined {
  if (from.startsWith('bin/')) return undefined;
  if (specifier.startsWith('../')) return 'write #room/file.ts; relative imports stay inside a folder';
  if (specifier.endsWith('.test.ts')) return 'tests share helpers in test/support, never each other';
  if (/^[.#].*\/index\.ts$/.test(specifier)) return 'name the file that has it; there are no index files';
  return undefined;
}

function roomProblem(each: Import): string | undefined {
  const target = targetOf(each);
  const row = roomRows.find(({ of }) => each.from.startsWith(of));
  if (target === undefined || !row) return undefined;
  return startsWithAny(target, [row.of, ...row.mayImport]) ? undefined : row.because;
}

function innerProblem(each: Import): string | undefined {
  const target = targetOf(each);
  return innerRows.find(([of, never]) => each.from.startsWith(of) && target?.startsWith(never))?.[2];
}

function floorProblem(each: Import): string | undefined {
  const target = targetOf(each);
  const row = floorRows.find(({ of }) => each.from.startsWith(of));
  if (row === undefined || !target?.startsWith('agent/')) return undefined;
  return startsWithAny(target, [row.of, ...row.mayImport]) ? undefined : row.because;
}

function doorProblem(each: Import): string | undefined {
  const entered = packageOf(each);
  if (entered === undefined || startsWithAny(each.from, unboundFolders)) return undefined;
  const row = doorRows.find((door) => door.package === entered);
  if (!row && entered.startsWith('node:')) return undefined;
  if (!row) return 'this package has no door yet; a new dependency needs an ADR and one file';
  return isDoor(row, each.from) ? undefined : row.because;
}

function isDoor(row: Door, file: string): boolean {
  return row.doors.some((door) => (typeof door === 'string' ? file.startsWith(door) : door.test(file)));
}

function readSources(): Sources {
  const files = globSync(`{${[...productRooms, 'bench', 'examples', 'test'].join(',')}}/**/*.{ts,js,mjs}`);
  return new Map(files.map((file) => [file.replaceAll('\\', '/'), readFileSync(file, 'utf8')]));
}

describe('the rooms', () => {
  const sources = readSources();

  test('are really looked at: files and imports of every room are seen', () => {
    for (const room of productRooms) expect([...sources.keys()].some((file) => file.startsWith(`${room}/`))).toBe(true);
    expect([...sources].flatMap(([file, text]) => importsOf(file, text)).length).toBeGreaterThan(sources.size);
  });

  test('import only what the table allows', () => {
    expect(brokenRows(sources)).toEqual([]);
  });
});

describe('a planted violation is caught', () => {
  test.each([
    ['certs/svid.ts', `import { systemClock } from '#runtime/system-clock.ts';`, 'certs is pure'],
    ['runtime/log.ts', `import type { SpiffeId } from '#certs/spiffe-id.ts';`, 'every room stands on runtime'],
    ['policy/decide.ts', `import { verifyPeer } from '#agent/tls/verified-peer.ts';`, 'policy is pure'],
    ['proto/grpc.ts', `export { issue } from '#control-plane/ca/issue.ts';`, 'proto is the wire'],
    [
      'agent/agent.ts',
      `import {\n  createStore, // the store\n} from '#control-plane/store/store.ts';`,
      'separate programs',
    ],
    ['control-plane/main.ts', `const agent = await import('#agent/agent.ts');`, 'separate programs'],
    ['agent/main.ts', `import { runUp } from '#cli/up/up.ts';`, 'separate programs'],
    ['cli/main.ts', `import { startMesh } from '#support/mesh.ts';`, 'the command line starts both'],
    ['agent/outbound/serve.ts', `import { permit } from '#agent/inbound/permit.ts';`, 'never each other'],
    ['agent/inbound/serve.ts', `import { open } from '#agent/outbound/destination.ts';`, 'never each other'],
    ['agent/tunnel/pool.ts', `import { open } from '#agent/outbound/destination.ts';`, 'both directions stand on this'],
    ['agent/tunnel/pool.ts', `import { shareOf } from '#agent/workers/share-of.ts';`, 'in which thread a part runs'],
    ['agent/workers/worker-main.ts', `import { openInbound } from '#agent/inbound/listener.ts';`, 'as a whole'],
    ['agent/outbound/serve.ts', `import { readRequestHead } from '../http/head.ts';`, 'write #room/file.ts'],
    ['agent/pipe/splice.ts', `import type { H2Stream } from '#agent/h2/types.ts';`, 'pipes are bytes'],
    ['agent/h2/session.ts', `import { readRequestHead } from '#agent/http/head.ts';`, 'knows frames and fields'],
    ['agent/http/h1-server.ts', `import type { H2Stream } from '#agent/h2/types.ts';`, 'need pipes only'],
    ['agent/protocol/detect.ts', `import { connect } from '#agent/tunnel/connect.ts';`, 'where it comes from'],
    ['agent/tunnel/pool.ts', `import { createCounters } from '#agent/admin/metrics.ts';`, 'counts through'],
    ['certs/svid.ts', `import { a } from './index.ts';`, 'no index files'],
    ['certs/csr.ts', `import forge from 'node-forge/lib/asn1.js';`, 'one reading and one writing of DER'],
    ['agent/agent.ts', `import { pino } from 'pino';`, 'a list of events'],
    ['agent/tls/config.ts', `import { z } from 'zod';`, 'where input enters'],
    ['control-plane/ca/authority.ts', `import { DatabaseSync } from 'node:sqlite';`, 'engines behind it'],
    ['agent/agent.ts', `import express from 'express';`, 'no door yet'],
    ['examples/shop/prices.js', `import ws from 'ws';`, 'no door yet'],
    ['examples/shop/prices.js', `import { parse } from '#certs/spiffe-id.ts';`, 'unmodified services'],
    ['test/e2e/a.test.ts', `import { help } from './b.test.ts';`, 'never each other'],
    ['certs/a.ts', `import { a } from './a.ts';`, 'a cycle'],
  ])('%s: %s', (file, text, reason) => {
    expect(brokenRows(new Map([[file, text]]))).toContainEqual(expect.stringContaining(reason));
  });

  test('over three files, as a cycle with its way', () => {
    const ring: Sources = new Map([
      ['certs/a.ts', `import { b } from './b.ts';`],
      ['certs/b.ts', `import type { C } from './c.ts';`],
      ['certs/c.ts', `export * from '#certs/a.ts';`],
    ]);
    expect(brokenRows(ring)).toEqual([
      'certs/a.ts → certs/b.ts → certs/c.ts → certs/a.ts: a cycle has no first file to understand',
    ]);
  });
});

describe('what is allowed passes', () => {
  test.each([
    ['certs/csr.ts', `import { ok } from '#runtime/result.ts';\nimport { der } from './x509.ts';`],
    ['certs/x509.ts', `import asn1 from 'node-forge/lib/asn1.js';`],
    ['agent/config.ts', `import { z } from 'zod';`],
    ['agent/agent.ts', `// import { x } from '#control-plane/x.ts'\n/* import 'express' */ import 'node:tls';`],
    ['agent/agent.ts', `const url = 'http://x'; // import 'express'`],
    ['agent/agent.ts', `import { a } from './inbound/a.ts';\nimport { b } from './outbound/b.ts';`],
    ['cli/main.ts', `await import('#control-plane/main.ts');`],
    ['test/e2e/a.test.ts', `import { startMesh } from '#support/mesh.ts';\nimport ws from 'ws';`],
  ])('%s: %s', (file, text) => {
    expect(brokenRows(new Map([[file, text]]))).toEqual([]);
  });
});
