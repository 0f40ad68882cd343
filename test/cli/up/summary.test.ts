import { describe, expect, test } from 'vitest';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { AgentStatus } from '#cli/up/agent-status.ts';
import { parseMeshFile } from '#cli/up/mesh-file.ts';
import { isPathCounted, isPathEchoed } from '#cli/up/path-proof.ts';
import { planMesh } from '#cli/up/plan.ts';
import { addStatus, emptyTally, exitCodeFor, summarize } from '#cli/up/summary.ts';

const status = (change: Partial<AgentStatus['counters']>, rotations = 0): AgentStatus => ({
  spiffeId: 'spiffe://two.example/ns/default/sa/a',
  rotations,
  notAfterMs: 1_700_000_000_000,
  ready: true,
  blockers: [],
  counters: { ...emptyTally.counters, ...change },
});

describe('the tally of one agent', () => {
  test('grows by what is new', () => {
    let tally = addStatus(emptyTally, status({ requests: 10, failed: 1 }, 1), 'new-process');
    tally = addStatus(tally, status({ requests: 15, failed: 1 }, 2), 'same-process');
    expect(tally).toMatchObject({ counters: { requests: 15, failed: 1 }, rotations: 2 });
  });

  test('goes on over a restart, where the agent counts from 0 again', () => {
    let tally = addStatus(emptyTally, status({ requests: 10, resets: 1 }, 3), 'new-process');
    tally = addStatus(tally, status({ requests: 4 }, 0), 'new-process');
    tally = addStatus(tally, status({ requests: 6 }, 1), 'same-process');
    expect(tally).toMatchObject({ counters: { requests: 16, resets: 1 }, rotations: 4 });
  });
});

describe('the summary', () => {
  const read = parseMeshFile(`
name: two
workloads:
  - { name: a, run: [x], listens: [{ port: 1001 }], calls: [{ to: b, listen: 2001 }, { to: c, port: 5, listen: 2002 }, { to: c, port: 6, listen: 2003 }] }
  - { name: b, run: [x], listens: [{ port: 1002 }] }
  - { name: c, run: [x], listens: [{ port: 5 }, { port: 6 }] }
`);
  if (!read.ok) throw new Error(read.reason.join());
  const freePorts = Array.from({ length: 20 }, (_, i) => 4001 + i);
  const plan = planMesh(read.value, { controlPlaneDir: '/c', logDir: '/l', socketDir: '/s', freePorts });
  const tallies = new Map([
    ['a', addStatus(emptyTally, status({ requests: 7, failed: 1, resets: 2 }, 3), 'new-process')],
    ['b', addStatus(emptyTally, status({ inboundRequests: 7, inboundDenied: 1 }), 'new-process')],
  ]);
  const summary = summarize(plan, tallies, { requests: 5, failed: 1, resets: 1 });

  test('adds what the agents counted to what up sent itself', () => {
    expect(summary).toMatchObject({ requests: 12, failed: 2, resets: 3, denied: 1 });
  });

  test('has the fields that scripts read, in their order', () => {
    expect(Object.keys(summary)).toEqual(['requests', 'failed', 'resets', 'workloads', 'denied']);
    expect(summary.workloads[0]).toEqual({
      name: 'a',
      spiffeId: 'spiffe://two.example/ns/default/sa/a',
      ports: {
        inbound: '127.0.0.1:4002',
        app: [1001],
        upstreams: { b: '127.0.0.1:2001', 'c:5': '127.0.0.1:2002', 'c:6': '127.0.0.1:2003' },
        admin: '127.0.0.1:4003',
      },
      rotations: 3,
      notAfter: '2023-11-14T22:13:20.000Z',
    });
    expect(summary.workloads[2]).toMatchObject({ name: 'c', rotations: 0, notAfter: null });
  });

  test.each([
    [{ failed: 0, resets: 0 }, 0],
    [{ failed: 1, resets: 0 }, 1],
    [{ failed: 0, resets: 1 }, 1],
  ])('%o makes exit code %d', (counts, code) => {
    expect(exitCodeFor(counts)).toBe(code);
  });

  test('proves a path by its counters only when every hop was used', () => {
    expect(isPathCounted(['a', 'b'], tallies)).toBe(true);
    expect(isPathCounted(['a', 'c'], tallies)).toBe(false);
    expect(isPathCounted(['b', 'a'], tallies)).toBe(false);
    expect(isPathCounted(['a'], tallies)).toBe(false);
  });
});

describe('a path is proved by an answer', () => {
  const id = (name: string): SpiffeId => `spiffe://shop.example/ns/default/sa/${name}` as SpiffeId;
  const xfcc = (by: string, uri: string): string => `By=${id(by)};Hash=00;Subject="O=a, b";URI=${id(uri)}`;
  const path = [id('storefront'), id('prices'), id('orders')];
  const both = { caller: xfcc('prices', 'storefront'), orders: { caller: xfcc('orders', 'prices') } };

  test.each([
    ['that quotes both hops', JSON.stringify(both), true],
    ['in which JSON is quoted in JSON', JSON.stringify({ text: JSON.stringify(both) }), true],
    ['that quotes one hop only', JSON.stringify({ caller: both.caller }), false],
    [
      'with the hops exchanged',
      JSON.stringify({ a: xfcc('storefront', 'prices'), b: xfcc('prices', 'orders') }),
      false,
    ],
    ['with a caller whose name only begins so', JSON.stringify([both.caller, xfcc('orders', 'prices-2')]), false],
    ['without identities', '{"caller":null}', false],
    ['that is empty', '', false],
  ])('%s: %#', (_, text, expected) => {
    expect(isPathEchoed(text, path)).toBe(expected);
  });
});
