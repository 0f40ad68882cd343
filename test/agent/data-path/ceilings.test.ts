import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { UpstreamConfig } from '#agent/config-types.ts';
import { ask, http2Client, startHttp2App } from '#support/h2-apps.ts';
import { send, upstreamDefaults, type PairOptions } from '#support/pair-world.ts';
import { anyoneText } from '#support/plaintext-prices.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

/** A connection that says nothing. */
async function hold(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  world.onEnd(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const get = { ':path': '/', ':authority': 'prices', ':scheme': 'http' };

describe('what is in flight has a ceiling', () => {
  test.each<[string, PairOptions]>([
    ['of one upstream', { upstream: { maxRequests: 3 } }],
    ['of all upstreams', { callerLimits: { requests: 3 } }],
    ['of all callers', { limits: { requests: 3 } }],
  ])('%s: 503 with a problem document beyond it, and room again after it', async (_name, options) => {
    const waiting: (() => void)[] = [];
    const app = await world.httpApp((_, reply) => void waiting.push(() => reply.end('ok')));
    const { port } = await world.pair(app, options);
    const first = [send(port), send(port), send(port)];
    await expect.poll(() => waiting.length).toBe(3);
    expect(await send(port)).toMatchObject({ status: 503, headers: { 'content-type': 'application/problem+json' } });
    for (const answer of waiting.splice(0)) answer();
    for (const reply of await Promise.all(first)) expect(reply.status).toBe(200);
    const next = send(port);
    await expect.poll(() => waiting.length).toBe(1);
    waiting[0]?.();
    expect((await next).status).toBe(200);
  });

  test('an upgraded request leaves its room to others', async () => {
    const app = await world.tcpApp((socket) => {
      socket.on('data', (bytes) => {
        const isUpgrade = bytes.toString().includes('websocket');
        socket.write(
          isUpgrade
            ? 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
            : 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
        );
      });
    });
    const { port, cart, prices } = await world.pair(app, { limits: { requests: 1 }, callerLimits: { requests: 1 } });
    const { request } = await import('node:http');
    const upgrade = request({ port, host: '127.0.0.1', headers: { connection: 'upgrade', upgrade: 'websocket' } });
    await new Promise((resolve) => {
      upgrade.on('upgrade', (_, socket) => {
        world.onEnd(() => socket.destroy());
        resolve(undefined);
      });
      upgrade.end();
    });
    expect((await send(port)).status).toBe(200);
    expect([cart.counters.openStreams, prices.counters.inboundOpenStreams]).toEqual([1, 1]);
  });
});

describe('one peer cannot take everything (A53, A54)', () => {
  const prices = async (limits: { requests?: number; connections?: number }, protocol: 'http' | 'tcp') => {
    const waiting: (() => void)[] = [];
    const app =
      protocol === 'tcp'
        ? await world.tcpApp((socket) => void socket.pipe(socket))
        : await world.httpApp((_, reply) => void waiting.push(() => reply.end('ok')));
    const allow = [world.domain.spiffeId('cart'), world.domain.spiffeId('orders')];
    const pair = await world.pair(app, { protocol, limits, allow });
    const orders = await world.calling(
      [
        {
          ...{ workload: 'prices', port: 7002, protocol, transport: 'tunnel', ...upstreamDefaults },
          ...{ spiffeId: world.domain.spiffeId('prices'), endpoints: [pair.prices.inbound.address] },
          listen: { host: '127.0.0.1', port: 0 },
        },
      ],
      { as: 'orders' },
    );
    return { ...pair, waiting, ordersPort: orders.upstream.port };
  };

  test('of the requests: beside the greediest there is room for another', async () => {
    const { port, ordersPort, waiting } = await prices({ requests: 10 }, 'http');
    const greedy = Array.from({ length: 20 }, () => send(port));
    await expect.poll(() => waiting.length).toBe(8);
    const other = send(ordersPort);
    await expect.poll(() => waiting.length).toBe(9);
    for (const answer of waiting.splice(0)) answer();
    expect((await other).status).toBe(200);
    const statuses = (await Promise.all(greedy)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(8);
    expect(statuses.filter((status) => status === 503)).toHaveLength(12);
  });

  test('of opaque streams: the app has no more connections than the ceiling, and room again after them', async () => {
    const { port, ordersPort, prices: agent } = await prices({ connections: 10 }, 'tcp');
    const streams = () => agent.counters.inboundOpenStreams;
    const greedy: Socket[] = [];
    for (let at = 0; at < 20; at += 1) greedy.push(await hold(port));
    await expect.poll(streams).toBe(8);
    await expect.poll(() => greedy.filter(({ closed }) => closed).length).toBe(12);
    await hold(ordersPort);
    await expect.poll(streams).toBe(9);
    for (const socket of greedy) socket.destroy();
    await expect.poll(streams).toBe(1);
    await hold(port);
    await expect.poll(streams).toBe(2);
  });
});

test('plaintext callers of many addresses leave half of the requests to peers (A53, A63)', async () => {
  const waiting: (() => void)[] = [];
  const app = await world.httpApp((_, reply) => void waiting.push(() => reply.end('ok')));
  const listen = { host: '127.0.0.1', port: 0 };
  const { port, prices } = await world.pair(app, { listen, mode: 'PERMISSIVE', limits: { requests: 10 } });
  prices.push(anyoneText());
  const statuses: string[] = [];
  for (let at = 2; at < 12; at += 1) {
    const own = prices.inbound.ports[0]!.address.port;
    const socket = connect({ port: own, host: '127.0.0.1', localAddress: `127.0.0.${at}` });
    world.onEnd(() => socket.destroy());
    socket.on('error', () => undefined).once('data', (bytes: Buffer) => statuses.push(bytes.toString('latin1', 9, 12)));
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  }
  await expect.poll(() => statuses).toEqual(['503', '503', '503', '503', '503']);
  expect(waiting).toHaveLength(5);
  const peers = Array.from({ length: 4 }, () => send(port));
  await expect.poll(() => waiting.length).toBe(9);
  for (const answer of waiting) answer();
  for (const { status } of await Promise.all(peers)) expect(status).toBe(200);
});

test('upgrades have their seat from their head on, however late the app answers them', async () => {
  const waiting: (() => void)[] = [];
  const app = await world.tcpApp((socket) => {
    socket.once('data', () => {
      const accept = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
      waiting.push(() => socket.write(accept));
    });
  });
  const { port, prices } = await world.pair(app, { limits: { connections: 10 } });
  const answers: string[] = [];
  for (let at = 0; at < 20; at += 1) {
    const socket = await hold(port);
    socket.on('data', (bytes) => answers.push(bytes.toString('latin1', 9, 12)));
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  }
  await expect.poll(() => answers.length).toBe(12);
  for (const accept of waiting) accept();
  await expect.poll(() => answers.filter((status) => status === '101').length).toBe(8);
  expect(answers.filter((status) => status === '503')).toHaveLength(12);
  expect(prices.counters.inboundOpenStreams).toBe(8);
});

test('answers that waited for window leave nothing behind when their sessions end', async () => {
  const app = await world.httpApp((_, reply) => reply.end(Buffer.alloc(200_000)));
  const tight = { limits: { requests: 5 }, callerLimits: { requests: 5 } };
  const { port } = await world.pair(app, tight);
  for (let round = 0; round < 12; round += 1) {
    const session = http2Client(port);
    const reply = await ask(session, get);
    expect([reply.headers[':status'], reply.body.length]).toEqual([200, 200_000]);
    session.destroy();
  }
  expect((await send(port)).status).toBe(200);
});

describe('an upstream with a timeout', () => {
  test('HTTP/1.1: 504 when no answer has come by then, a cut in the middle of one', async () => {
    const app = await world.httpApp((incoming, reply) => {
      if (incoming.url === '/half') reply.write('half');
    });
    const { port, cart } = await world.pair(app, { upstream: { timeoutMs: 200 } });
    expect(await send(port)).toMatchObject({ status: 504, headers: { 'content-type': 'application/problem+json' } });
    await expect(send(port, { path: '/half' })).rejects.toThrow();
    expect(cart.counters).toMatchObject({ requests: 2, failed: 2 });
  });

  test('gRPC: DEADLINE_EXCEEDED', async () => {
    const app = await startHttp2App(() => undefined);
    world.onEnd(() => app.end());
    const { port } = await world.pair(app.port, { protocol: 'http2', upstream: { timeoutMs: 200 } });
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    const call = { ...get, ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
    expect((await ask(session, call, '')).headers).toMatchObject({ ':status': 200, 'grpc-status': '4' });
  });
});

test('heads and header counts over the ceilings are refused with 431, an answer over them with 502 (A55)', async () => {
  const app = await world.httpApp((_, reply) => reply.setHeader('x-large', 'x'.repeat(3_000)).end());
  const { port } = await world.pair(app, {
    limits: { headBytes: 2_000 },
    callerLimits: { headBytes: 2_500, headers: 20 },
  });
  expect((await send(port, { headers: { a: 'x'.repeat(2_600) } })).status).toBe(431);
  const many = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`x-${index}`, 'y']));
  expect((await send(port, { headers: many })).status).toBe(431);
  expect((await send(port)).status).toBe(502);
});

describe('connections have a ceiling that the listeners of a side share (A54)', () => {
  test('of the app: its second upstream has no more room than its first left', async () => {
    const app = await world.httpApp((_, reply) => reply.end('ok'));
    const { prices } = await world.pair(app);
    const upstream: UpstreamConfig = {
      ...{ workload: 'prices', port: 7002, protocol: 'http', transport: 'tunnel', ...upstreamDefaults },
      ...{ spiffeId: world.domain.spiffeId('prices'), endpoints: [prices.inbound.address] },
      listen: { host: '127.0.0.1', port: 0 },
    };
    const cart = await world.calling([upstream, { ...upstream }], { limits: { connections: 2 } });
    const [one, other] = cart.outbound.upstreams.map(({ address }) => address.port);
    const held = [await hold(one!), await hold(other!)];
    await expect.poll(() => cart.outbound.connections).toBe(2);
    for (const port of [one!, other!]) await expect(send(port)).rejects.toThrow();
    expect([...cart.counters.outbound.failures.get('too-many-connections')!.entries()]).toEqual([['unknown', 2]]);
    held[0]!.destroy();
    await expect.poll(() => cart.outbound.connections).toBe(1);
    expect((await send(other!)).status).toBe(200);
  });

  test('of peers: a port’s own listener has no more room than the tunnels left', async () => {
    const app = await world.httpApp((_, reply) => reply.end('ok'));
    const listen = { host: '127.0.0.1', port: 0 };
    const { port, prices } = await world.pair(app, { listen, limits: { connections: 1 } });
    expect((await send(port)).status).toBe(200);
    const cart = await world.calling([
      {
        ...{ workload: 'prices', port: 7002, protocol: 'http', transport: 'mtls', ...upstreamDefaults },
        ...{ spiffeId: world.domain.spiffeId('prices'), endpoints: [prices.inbound.ports[0]!.address], listen },
      },
    ]);
    expect((await send(cart.upstream.port)).status).toBeGreaterThanOrEqual(502);
    expect([...prices.counters.inbound.failures.get('too-many-connections')!.entries()].map(([peer]) => peer)).toEqual([
      'unknown',
    ]);
    expect(prices.inbound.connections).toBe(1);
  });
});
