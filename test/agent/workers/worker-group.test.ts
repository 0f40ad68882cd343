import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { maxLabels } from '#agent/admin/labelled-counter.ts';
import { createReadiness } from '#agent/admin/readiness.ts';
import { parseAgentConfig } from '#agent/config.ts';
import type { AgentEvent } from '#agent/events.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import type { PortRecord } from '#agent/plaintext/ledger-report.ts';
import { WorkerGroup } from '#agent/workers/worker-group.ts';
import { parseSpiffeId } from '#certs/spiffe-id.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createFakeThreads } from '#support/fake-threads.ts';
import { createTestCa } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ca = createTestCa({ nowMs });

function stage(workers = 3) {
  const parsed = parseAgentConfig(
    `{"workload":"cart","trustDomain":"shop.example","identity":{"files":{"dir":"/certs"}},"workers":${workers}}`,
  );
  if (!parsed.ok) throw new Error(parsed.reason);
  const clock = createFakeClock(nowMs);
  const store = createIdentityStore();
  const readiness = createReadiness(store, clock);
  const threads = createFakeThreads();
  const events: AgentEvent[] = [];
  const collected: number[] = [];
  const wanted: string[] = [];
  const group = new WorkerGroup({
    config: parsed.value,
    ...{ store, clock, readiness, startThread: threads.startThread },
    emit: (event) => void events.push(event),
    collect: () => void collected.push(clock.now()),
    onKeysWanted: (issuer) => void wanted.push(issuer),
  });
  const rotate = () => store.replace(identityOf(ca.leaf('cart'), { ca, nowMs }));
  return { group, clock, store, readiness, events, rotate, threads: threads.all, collected, wanted };
}

describe('what workers are told', () => {
  test('an identity is in force in every worker at the next turn of its event loop, under the same generation', async () => {
    const { threads, rotate } = stage();
    for (const generation of [1, 2, 3]) {
      const { svid } = rotate();
      await nextTurn();
      for (const { store } of threads) expect(store.current()).toMatchObject({ generation, svid });
    }
  });

  test('listeners open in the first worker, then in the others at its addresses; identity came before', async () => {
    const { group, threads, rotate } = stage();
    rotate();
    expect(await group.open('inbound')).toEqual([{ purpose: 'inbound of 1', address: { host: '127.0.0.1', port: 1 } }]);
    for (const { did, store } of threads) expect([did, store.current()?.generation]).toEqual([['open inbound'], 1]);
  });

  test('workloads, drain and end reach all of them', async () => {
    const { group, threads } = stage();
    const spiffeId = parseSpiffeId('spiffe://shop.example/ns/default/sa/prices');
    if (!spiffeId.ok) throw new Error(spiffeId.reason);
    group.useWorkloads([{ name: 'prices', spiffeId: spiffeId.value, endpoints: [{ host: '::1', port: 7 }] }]);
    group.drain('inbound');
    group.drain('outbound');
    await group.end();
    for (const { did, state } of threads) {
      expect(did).toEqual(['workloads prices', 'drain inbound', 'drain outbound', 'end']);
      expect(state).toBe('terminated');
    }
  });

  test('S79: keys of token issuers reach all of them, and their wish for unknown ones reaches us', () => {
    const { group, threads, wanted } = stage();
    group.useTokenKeys([]);
    for (const { did } of threads) expect(did).toEqual(['token keys of 0']);
    threads[1]?.say({ kind: 'keys-wanted', issuer: 'https://login.example' });
    expect(wanted).toEqual(['https://login.example']);
  });

  test('each has its number and its share of the ceilings', () => {
    const { threads } = stage(4);
    expect(threads.map(({ start }) => [start.worker, start.config.limits.connections])).toEqual([
      [1, 5_000],
      [2, 5_000],
      [3, 5_000],
      [4, 5_000],
    ]);
  });
});

describe('what workers tell', () => {
  test('numbers are summed, labels too, and each worker shows for itself', async () => {
    const { group, threads } = stage(2);
    for (const [index, { counters, connections }] of threads.entries()) {
      counters.requests = 10 + index;
      counters.requestsByPeer.add('spiffe://a', 5);
      counters.requestsByPeer.add(`spiffe://only-${index}`);
      connections.outbound = 3;
    }
    const { counters, connections, workers } = await group.report();
    expect([counters.requests, counters.failed, connections]).toEqual([21, 0, { outbound: 6, inbound: 0 }]);
    expect(Object.fromEntries(counters.requestsByPeer.entries())).toEqual({
      'spiffe://a': 10,
      'spiffe://only-0': 1,
      'spiffe://only-1': 1,
    });
    expect(workers).toMatchObject([
      { worker: 1, state: 'answers', requests: 10, connections: { outbound: 3, inbound: 0 } },
      { worker: 2, state: 'answers', requests: 11 },
    ]);
  });

  test('labels of all workers together stay within the ceiling (A74)', async () => {
    const { group, threads } = stage(3);
    for (const [index, { counters }] of threads.entries()) {
      for (let peer = 0; peer < maxLabels; peer += 1) counters.requestsByPeer.add(`spiffe://${index}/${peer}`);
    }
    const labels = new Map((await group.report()).counters.requestsByPeer.entries());
    expect([labels.size, labels.get('other')]).toEqual([maxLabels + 1, 2 * maxLabels]);
  });

  test('events come out here', () => {
    const { threads, events } = stage();
    const event = { event: 'stream.reset', destination: 'prices', reason: 'cut' } as const;
    threads[1]!.say({ kind: 'event', event });
    expect(events).toEqual([event]);
  });
});

describe('a worker that does not answer', () => {
  test('is reported with what it said last, and not waited for', async () => {
    const { group, clock, threads } = stage(2);
    for (const { counters } of threads) counters.requests = 7;
    await group.report();
    for (const thread of threads) thread.counters.requests = 9;
    threads[1]!.state = 'stuck';
    const report = group.report();
    await clock.advance(500);
    const { counters, workers } = await report;
    expect(counters.requests).toBe(9 + 7);
    expect(workers.map(({ state }) => state)).toEqual(['answers', 'silent']);
    threads[1]!.wake();
    expect((await group.report()).counters.requests).toBe(18);
  });

  test('takes the agent out of service after five seconds, until it answers again', async () => {
    const { clock, threads, readiness, events } = stage(2);
    readiness.clear('starting');
    await clock.advance(1_000);
    threads[1]!.state = 'stuck';
    await clock.advance(6_000);
    expect(events).toEqual([{ event: 'worker.silent', worker: 2 }]);
    const detail = 'no answer from worker 2 of 2';
    expect(readiness.report().blockers).toContainEqual({ name: 'worker-silent', detail });
    threads[1]!.wake();
    await clock.advance(1_000);
    expect(events.at(-1)).toEqual({ event: 'worker.answers', worker: 2 });
    expect(readiness.report().blockers.map(({ name }) => name)).not.toContain('worker-silent');
  });

  test('for half a minute ends the agent', async () => {
    const { group, clock, threads } = stage(2);
    threads[0]!.state = 'stuck';
    await clock.advance(31_000);
    await expect(group.failed).rejects.toMatchObject({ code: 'WORKER_SILENT' });
  });

  test('does not hold up the end', async () => {
    const { group, clock, threads } = stage(2);
    threads[0]!.state = 'stuck';
    const ended = group.end();
    await clock.advance(500);
    await ended;
    expect(threads.map(({ state }) => state)).toEqual(['terminated', 'terminated']);
    expect(clock.waiting()).toBe(0);
  });
});

describe('a worker that ends by itself', () => {
  test('ends the agent, and says why', async () => {
    const { group, threads } = stage(2);
    threads[1]!.die('heap out of memory');
    await expect(group.failed).rejects.toMatchObject({
      code: 'WORKER_ENDED',
      message: 'worker 2 ended by itself: heap out of memory',
    });
  });

  test('while it opens listeners is a clear end of that too', async () => {
    const { group, threads } = stage(2);
    threads[1]!.state = 'stuck';
    const opening = group.open('outbound');
    await nextTurn();
    threads[1]!.die('exit code 7');
    await expect(opening).rejects.toMatchObject({ code: 'WORKER_ENDED' });
  });

  test('leaves its numbers behind: counters never go back', async () => {
    const { group, threads } = stage(2);
    for (const { counters } of threads) counters.requests = 4;
    await group.report();
    threads[1]!.die('exit code 1');
    expect((await group.report()).counters.requests).toBe(8);
  });

  test('because it cannot use an identity ends the agent as well', async () => {
    const { group, threads, rotate } = stage(2);
    threads[0]!.store.subscribe(() => {
      throw new Error('no context from this key');
    });
    rotate();
    await expect(group.failed).rejects.toMatchObject({ message: 'no context from this key' });
  });
});

test('the main thread gives its own memory back too, when nothing is renewed', async () => {
  const { group, clock, collected, rotate } = stage(2);
  rotate();
  await group.open('inbound');
  await clock.advance(60_000);
  expect(collected).toHaveLength(1);
  await group.end();
});

describe('plaintext callers', () => {
  const port = (admitted: number): PortRecord => ({
    ...{ port: 7002, mode: 'PERMISSIVE', sinceMs: nowMs, isUnchanged: true, callers: [] },
    overflow: {
      ...{ firstSeenMs: nowMs, lastSeenMs: nowMs, lastAdmittedMs: nowMs },
      ...{ connections: 1, open: 0, admitted, refused: 0 },
    },
    peers: { connections: 0, lastSeenMs: null, names: [] },
  });

  test('of all workers are told together', async () => {
    const { group, threads } = stage();
    for (const [index, thread] of threads.entries()) {
      thread.called = { changes: 1, document: 'default/cart', ports: [port(index + 1)] };
    }
    expect(await group.plaintextCallers()).toMatchObject({
      ...{ changes: 3, document: 'default/cart' },
      ports: [{ overflow: { admitted: 6, connections: 3 } }],
    });
  });

  test('are not told where a worker does not answer: those that it saw would be missing', async () => {
    const { group, threads, clock } = stage();
    threads[1]!.state = 'stuck';
    const asked = group.plaintextCallers();
    asked.catch(() => undefined); // before it is looked at
    await clock.advance(2_000);
    await expect(asked).rejects.toThrow('a worker does not answer');
  });
});
