import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { doorRows, floorRows, innerRows, productRooms, roomRows, type Door } from '#support/boundary-rows.ts';
import { findCycle, importsOf, packageOf, targetOf, type Import, type Sources } from '#support/import-graph.ts';

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
