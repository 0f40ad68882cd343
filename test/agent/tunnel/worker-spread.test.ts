import { beforeAll, describe, expect, test } from 'vitest';
import type { WorkerPlace } from '#agent/h2/types.ts';
import { readSettings, writeSettings } from '#agent/h2/session-settings.ts';
import { tunnelSettings } from '#agent/tunnel/open-tunnel-h2.ts';
import { WorkerSpread, type Spreadable } from '#agent/tunnel/worker-spread.ts';
import { ask } from '#support/ask.ts';
import { createTestDomain, type TestDomain } from '#support/identities.ts';
import type { StageReply } from '#support/stage-app.ts';
import { TunnelStage } from '#support/tunnel-stage.ts';
import { until } from '#support/until.ts';

const session = (worker: number, of: number, load = 100): Spreadable => ({ load, peerWorker: { worker, of } });

describe('further workers of a peer are asked', () => {
  test.each([
    ['never where the peer does not speak of workers', [{ load: 500, peerWorker: undefined }], false],
    ['never where it is one', [session(1, 1)], false],
    ['not before there is a session at all', [], false],
    ['not while there is little to do', [session(1, 2, 15)], false],
    ['when there is much to do', [session(1, 2, 16)], true],
    ['when there is much to do on each', [session(1, 4), session(3, 4, 16)], true],
    ['not while one of them has little to do', [session(1, 4), session(3, 4, 15)], false],
    ['not when each has a session', [session(1, 2), session(2, 2)], false],
    ['at most seven more', Array.from({ length: 8 }, (_, index) => session(index + 1, 64)), false],
  ])('%s', (_name, serving, expected) => {
    expect(new WorkerSpread().wants(serving)).toBe(expected);
  });

  test('32 times in vain at most, until there is news', () => {
    const spread = new WorkerSpread();
    const serving = [session(1, 2)];
    let attempts = 0;
    for (; spread.wants(serving); attempts += 1) expect(spread.judge(session(1, 2), serving)).toBe('known');
    expect(attempts).toBe(32);
    spread.again();
    expect(spread.wants(serving)).toBe(true);
    spread.giveUp();
    expect(spread.wants(serving)).toBe(false);
  });

  test('a session to a worker that has none starts the count anew', () => {
    const spread = new WorkerSpread();
    const serving = [session(1, 3)];
    for (let attempt = 1; attempt <= 31; attempt += 1) spread.judge(session(1, 3), serving);
    expect(spread.judge(session(2, 3), serving)).toBe('another');
    expect(spread.wants([...serving, session(2, 3)])).toBe(true);
  });
});

describe('which worker it is', () => {
  const told = (worker: WorkerPlace | undefined) =>
    readSettings(writeSettings('server', { ...tunnelSettings, worker }), 'server');

  test.each([[{ worker: 1, of: 2 }], [{ worker: 64, of: 64 }]])('%o is told by a setting', (worker) => {
    expect(told(worker)).toMatchObject({ ok: true, value: { worker } });
  });

  test('is not told where there is one', () => {
    expect(told(undefined)).not.toHaveProperty('value.worker');
  });

  test.each([[{ worker: 0, of: 2 }], [{ worker: 3, of: 2 }], [{ worker: 0, of: 0 }], [{ worker: 65_535, of: 65_534 }]])(
    '%o makes no sense, and is ignored',
    (worker) => {
      expect(told(worker)).toMatchObject({ ok: true });
      expect(told(worker)).not.toHaveProperty('value.worker');
    },
  );
});

describe('a peer with two workers', () => {
  let domain: TestDomain;
  beforeAll(async () => {
    domain = await createTestDomain();
  });

  /** So many requests at once, all in flight until they are answered together. */
  async function busyStage(worker: (connection: number) => WorkerPlace, version: 'http' | 'http2' = 'http') {
    const stage = new TunnelStage(domain);
    const replies: StageReply[] = [];
    const app = { http: (_path: string, reply: StageReply) => void replies.push(reply) };
    const prices = await stage.serve('prices', { app, worker });
    const cart = await stage.call('cart');
    const upstream = cart.pool.upstream(stage.peer('prices', [prices.address]), version);
    const askAll = async (count: number, isEnough = (): boolean => true): Promise<void> => {
      const asking = Array.from({ length: count }, () => ask(upstream));
      await until(() => replies.length === count && isEnough());
      for (const reply of replies.splice(0)) reply.send('ok');
      for (const { status } of await Promise.all(asking)) expect(status).toBe(200);
    };
    return { stage, prices, cart, askAll };
  }

  test('has one session while there is little to do', async () => {
    const { stage, cart, askAll } = await busyStage((connection) => ({ worker: connection, of: 2 }));
    using _end = stage;
    await askAll(10);
    expect(cart.pool.sessions).toBe(1);
  });

  test.each(['http', 'http2'] as const)('has one to each when there is much, and both carry %s', async (version) => {
    const second = 4; // by chance the first three connections reach the same worker
    const place = (connection: number): WorkerPlace => ({ worker: connection < second ? 1 : 2, of: 2 });
    const { stage, prices, cart, askAll } = await busyStage(place, version);
    using _end = stage;
    if (version === 'http2') await askAll(40); // these all waited for the first session
    await askAll(40, () => prices.accepted === second);
    await askAll(40); // streams of the first session are let go now
    await stage.clock.advance(1_000);
    await until(() => cart.pool.sessions === 2); // those to a worker that had one already are gone
    const before = prices.sockets.map(({ bytesRead }) => bytesRead);
    await askAll(40);
    const more = prices.sockets.map(({ bytesRead }, index) => bytesRead - before[index]!);
    expect(more.length).toBe(2);
    expect(Math.min(...more)).toBeGreaterThan(Math.max(...more) / 3);
    expect(prices.accepted).toBe(second);
  });
});
