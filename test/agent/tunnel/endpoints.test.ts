import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Address } from '#agent/config-types.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { serverTlsOptions } from '#agent/tls/contexts.ts';
import { ask, begin } from '#support/ask.ts';
import { createTestDomain, type TestDomain } from '#support/identities.ts';
import { opaqueCaller } from '#support/opaque-caller.ts';
import type { StageReply } from '#support/stage-app.ts';
import { TunnelStage, type ServingEnd } from '#support/tunnel-stage.ts';
import { turns } from '#support/turns.ts';
import { until } from '#support/until.ts';

const nowhere = { host: '127.0.0.1', port: 1 };
let domain: TestDomain;

beforeAll(async () => {
  domain = await createTestDomain();
});

/** Several agents of one workload whose app holds every answer back. */
async function holding(stage: TunnelStage, count: number): Promise<(ServingEnd & { readonly held: StageReply[] })[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const held: StageReply[] = [];
      return Object.assign(await stage.serve('prices', { app: { http: (_path, reply) => void held.push(reply) } }), {
        held,
      });
    }),
  );
}

describe('several endpoints', () => {
  test('share the requests: least in flight of two random choices', async () => {
    using stage = new TunnelStage(domain);
    const ends = await holding(stage, 4);
    const { pool } = await stage.call('cart');
    const peer = stage.peer(
      'prices',
      ends.map(({ address }) => address),
    );
    const upstream = pool.upstream(peer, 'http');
    const asked: Promise<unknown>[] = [];
    for (let turn = 0; turn < 40; turn += 1) {
      asked.push(ask(upstream));
      await until(() => ends.reduce((sum, { held }) => sum + held.length, 0) === turn + 1);
    }
    for (const { held } of ends) expect(Math.abs(held.length - 10)).toBeLessThanOrEqual(2);
    for (const { held } of ends) for (const reply of held) reply.send('');
    await Promise.all(asked);
  });

  test('one that cannot be reached costs no request, and is asked again later', async () => {
    using stage = new TunnelStage(domain);
    const good = await stage.serve('prices');
    const cart = await stage.call('cart');
    const upstream = cart.pool.upstream(stage.peer('prices', [nowhere, good.address]), 'http');
    for (let turn = 0; turn < 20; turn += 1) expect((await ask(upstream)).body).toBe('prices');
    const failures = (): number => cart.events.filter(({ event }) => event === 'failed').length;
    expect(failures()).toBe(1);
    await stage.clock.advance(2_000);
    for (let turn = 0; turn < 20; turn += 1) expect((await ask(upstream)).body).toBe('prices');
    expect(failures()).toBe(2);
  });

  test('a burst at one that cannot be reached counts as one failure', async () => {
    using stage = new TunnelStage(domain);
    const cart = await stage.call('cart');
    const upstream = cart.pool.upstream(stage.peer('prices', [nowhere]), 'http');
    const replies = await Promise.all(Array.from({ length: 50 }, () => ask(upstream)));
    expect(new Set(replies.map(({ failed }) => JSON.stringify(failed)))).toEqual(
      new Set(['{"unreachable":"unreachable"}']),
    );
    expect(cart.events).toHaveLength(1);
  });

  test('the agent of another workload is never spoken to, the right one is (A47)', async () => {
    using stage = new TunnelStage(domain);
    const wrong = await stage.serve('orders', { app: { seen: [] } });
    const right = await stage.serve('prices');
    const cart = await stage.call('cart');
    const both = cart.pool.upstream(stage.peer('prices', [wrong.address, right.address]), 'http');
    for (let turn = 0; turn < 10; turn += 1) expect((await ask(both)).body).toBe('prices');
    const alone = cart.pool.upstream(stage.peer('prices', [wrong.address], { port: 7010 }), 'http');
    expect(await ask(alone)).toMatchObject({ failed: { unreachable: 'wrong-peer' } });
    expect(wrong.app.seen).toEqual([]);
  });

  test('a request is not sent again once a byte of it has left', async () => {
    using stage = new TunnelStage(domain);
    const ends = await holding(stage, 2);
    const { pool } = await stage.call('cart');
    const upstream = pool.upstream(
      stage.peer(
        'prices',
        ends.map(({ address }) => address),
      ),
      'http',
    );
    const asking = ask(upstream);
    await until(() => ends.some(({ held }) => held.length === 1));
    for (const { sockets } of ends) sockets[0]?.destroy();
    expect(await asking).toMatchObject({ failed: 'upstream-closed' });
    expect(ends.reduce((sum, { held }) => sum + held.length, 0)).toBe(1);
  });
});

describe('an endpoint that leaves the list', () => {
  test('gets nothing new, finishes what it has, and its session closes; one that comes is used at once', async () => {
    using stage = new TunnelStage(domain);
    const [old, young] = (await holding(stage, 2)) as [
      ServingEnd & { held: StageReply[] },
      ServingEnd & { held: StageReply[] },
    ];
    const { pool } = await stage.call('cart');
    const asked = [ask(pool.upstream(stage.peer('prices', [old.address]), 'http'))];
    await until(() => old.held.length === 1);
    const upstream = pool.upstream(stage.peer('prices', [young.address]), 'http');
    for (let turn = 0; turn < 5; turn += 1) asked.push(ask(upstream));
    await until(() => young.held.length === 5);
    expect([old.held.length, pool.sessions]).toEqual([1, 2]);
    old.held[0]?.send('finished');
    expect(await asked[0]).toMatchObject({ status: 200, body: 'finished' });
    await stage.clock.advance(1_000);
    await until(() => pool.sessions === 1);
    for (const reply of young.held) reply.send('');
    await Promise.all(asked);
  });

  test('keeps its opaque streams until they end', async () => {
    using stage = new TunnelStage(domain);
    const [old, young] = [await stage.serve('prices'), await stage.serve('prices')];
    const { pool } = await stage.call('cart');
    const stream = await opaqueCaller(pool.open(stage.peer('prices', [old.address], { port: 7003 })));
    pool.refresh(stage.peer('prices', [young.address], { port: 7003 }));
    await stage.clock.advance(60_000);
    await stream.echo('still here');
    stream.pipe.end();
    await stream.got.told('cut');
    expect(stream.got.story).toEqual(['bytes', 'end', 'cut']);
    await stage.clock.advance(1_000);
    await until(() => pool.sessions === 0);
  });
});

describe('ceilings', () => {
  test('more requests in flight than allowed are told so at once', async () => {
    using stage = new TunnelStage(domain);
    const [end] = (await holding(stage, 1)) as [ServingEnd & { held: StageReply[] }];
    const { pool } = await stage.call('cart', { limits: { maxInFlight: 3 } });
    const peer = stage.peer('prices', [end.address]);
    const asked = Array.from({ length: 3 }, () => ask(pool.upstream(peer, 'http')));
    await until(() => end.held.length === 3);
    const tooMany = { unreachable: 'too-many-requests-in-flight' };
    expect(await ask(pool.upstream(peer, 'http'))).toMatchObject({ failed: tooMany });
    expect(await pool.open(peer)).toEqual({ ok: false, reason: 'too-many-requests-in-flight' });
    for (const reply of end.held.splice(0)) reply.send('');
    await Promise.all(asked);
    const next = ask(pool.upstream(peer, 'http'));
    await until(() => end.held.length === 1);
    end.held[0]?.send('room');
    expect((await next).body).toBe('room');
  });

  test('more streams waiting to be opened than allowed too, while a peer is silent', async () => {
    using stage = new TunnelStage(domain);
    const silent = await silentPort();
    const { pool } = await stage.call('cart', { limits: { maxPending: 2 } });
    const upstream = pool.upstream(stage.peer('prices', [silent.address]), 'http');
    const waiting = [begin(upstream), begin(upstream)];
    expect(await ask(upstream)).toMatchObject({ failed: { unreachable: 'too-many-requests-in-flight' } });
    await until(() => silent.connections === 1);
    await stage.clock.advance(3_000);
    for (const { done } of waiting) expect(await done).toMatchObject({ failed: { unreachable: 'handshake-failed' } });
    silent.close();
  });

  test('HTTP/2 requests as well', async () => {
    using stage = new TunnelStage(domain);
    const [end] = (await holding(stage, 1)) as [ServingEnd & { held: StageReply[] }];
    const { pool } = await stage.call('cart', { limits: { maxInFlight: 2 } });
    const upstream = pool.upstream(stage.peer('prices', [end.address]), 'http2');
    const asked = [ask(upstream), ask(upstream)];
    await until(() => end.held.length === 2);
    expect(await ask(upstream)).toMatchObject({ failed: { unreachable: 'too-many-requests-in-flight' } });
    for (const reply of end.held) reply.send('');
    await Promise.all(asked);
  });
});

describe('deadlines', () => {
  test('one try gives up before all of them do', async () => {
    using stage = new TunnelStage(domain);
    const silent = await silentPort();
    const good = await stage.serve('prices');
    const { pool } = await stage.call('cart');
    const asked = Array.from({ length: 6 }, () =>
      ask(pool.upstream(stage.peer('prices', [silent.address, good.address]), 'http')),
    );
    await until(() => silent.connections > 0 && good.accepted > 0);
    await stage.clock.advance(3_000);
    for (const { body } of await Promise.all(asked)) expect(body).toBe('prices');
    silent.close();
  });

  test('all tries together have one too', async () => {
    using stage = new TunnelStage(domain);
    const silent = await Promise.all([silentPort(), silentPort(), silentPort()]);
    const { pool } = await stage.call('cart', { limits: { tryMs: 3_000, overallMs: 4_000 } });
    const peer = stage.peer(
      'prices',
      silent.map(({ address }) => address),
    );
    const asking = ask(pool.upstream(peer, 'http'));
    const reached = (): number => silent.reduce((sum, { connections }) => sum + connections, 0);
    await until(() => reached() === 1);
    await stage.clock.advance(3_000);
    await until(() => reached() === 2);
    await stage.clock.advance(1_000);
    expect(await asking).toMatchObject({ failed: { unreachable: 'unreachable' } });
    expect(reached()).toBe(2);
    for (const port of silent) port.close();
  });

  test('what the handshake took is missing for SETTINGS: one try is over when its time is', async () => {
    using stage = new TunnelStage(domain);
    const slow = await silentPort();
    const { pool, events } = await stage.call('cart', { limits: { tryMs: 3_000, overallMs: 3_000 } });
    const asking = ask(pool.upstream(stage.peer('prices', [slow.address]), 'http'));
    await until(() => slow.connections === 1);
    await stage.clock.advance(2_000);
    await slow.shakeHands('prices');
    await turns(); // the caller waits for SETTINGS now
    expect(events).toEqual([]);
    await stage.clock.advance(1_000);
    expect(await asking).toHaveProperty('failed.unreachable');
    expect(events).toMatchObject([{ event: 'failed', reason: 'handshake-failed' }]);
    slow.close();
  });
});

test('an agent that stops says so, and waits for nobody', async () => {
  using stage = new TunnelStage(domain);
  const silent = await silentPort();
  const { pool } = await stage.call('cart');
  const peer = stage.peer('prices', [silent.address]);
  const asking = ask(pool.upstream(peer, 'http'));
  await until(() => silent.connections === 1);
  pool.destroyAll();
  expect(await asking).toMatchObject({ failed: { unreachable: 'stopping' } });
  expect(await ask(pool.upstream(peer, 'http'))).toMatchObject({ failed: { unreachable: 'stopping' } });
  silent.close();
});

interface SilentPort {
  readonly address: Address;
  readonly connections: number;
  /** Ends the handshake of its first connection as this workload, and says nothing more. */
  shakeHands(workload: string): Promise<void>;
  close(): void;
}

/** Takes connections and says nothing. */
async function silentPort(): Promise<SilentPort> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    get connections() {
      return sockets.length;
    },
    async shakeHands(workload) {
      const identity = createIdentityStore();
      identity.replace(await domain.identity(workload, 600_000));
      const tls = createTlsServer({ ...serverTlsOptions(identity.current()!), ALPNProtocols: ['h2'] });
      const shaken = new Promise((resolve) => tls.once('secureConnection', resolve));
      tls.emit('connection', sockets[0]);
      await shaken;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
