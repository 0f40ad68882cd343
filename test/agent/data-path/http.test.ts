import { get, request, Agent as HttpAgent } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { UpstreamConfig } from '#agent/config-types.ts';
import { send, sendRaw, upstreamDefaults } from '#support/pair-world.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

describe.each(['tunnel', 'mtls'] as const)('HTTP/1.1 through a pair of agents (%s)', (transport) => {
  test('the app answers, and sees the verified caller and no forged one (S3, A48)', async () => {
    const app = await world.httpApp((incoming, reply) => reply.end(JSON.stringify(incoming.headers)));
    const { port } = await world.pair(app, { transport });
    const reply = await send(port, {
      headers: { 'x-forwarded-client-cert': 'By=evil', X_Forwarded_Client_Cert: 'evil' },
    });
    expect(reply.status).toBe(200);
    const seen = JSON.parse(reply.body) as Record<string, string>;
    expect(seen['x-forwarded-client-cert']).toMatch(
      /^By=spiffe:\/\/test.example\/ns\/default\/sa\/prices;Hash=[0-9a-f]{64};.*URI=spiffe:\/\/test.example\/ns\/default\/sa\/cart$/,
    );
    expect(JSON.stringify(seen)).not.toContain('evil');
  });

  test('bodies pass whole in both directions, by length and chunked', async () => {
    const app = await world.httpApp((incoming, reply) => void incoming.pipe(reply));
    const { port } = await world.pair(app, { transport });
    const body = Buffer.alloc(3_000_000, 'abc');
    const byLength = await send(port, { method: 'POST', body });
    const chunked = await send(port, { method: 'POST', headers: { 'transfer-encoding': 'chunked' }, body });
    expect(byLength.body.length).toBe(body.length);
    expect(chunked.body === body.toString()).toBe(true);
  });

  test('HEAD, 204, 304 and an answer until close keep their meaning', async () => {
    const app = await world.httpApp((incoming, reply) => {
      if (incoming.url === '/204') return void reply.writeHead(204).end();
      if (incoming.url === '/304') return void reply.writeHead(304, { etag: '"x"' }).end();
      reply.writeHead(200, { 'content-length': '5' }).end(incoming.method === 'HEAD' ? undefined : 'hello');
    });
    const { port } = await world.pair(app, { transport });
    expect(await send(port, { method: 'HEAD' })).toMatchObject({
      status: 200,
      headers: { 'content-length': '5' },
      body: '',
    });
    expect(await send(port, { path: '/204' })).toMatchObject({ status: 204, body: '' });
    expect(await send(port, { path: '/304' })).toMatchObject({ status: 304, headers: { etag: '"x"' } });
    expect(await send(port)).toMatchObject({ status: 200, body: 'hello' });
  });

  test('a kept connection survives rotations of both ends, each request on the newest session (M2)', async () => {
    const app = await world.httpApp((_, reply) => reply.end('ok'));
    const { port, cart, prices } = await world.pair(app, { transport });
    const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
    world.onEnd(() => agent.destroy());
    for (let turn = 0; turn < 6; turn += 1) {
      expect((await send(port, { agent })).body).toBe('ok');
      await (turn % 2 === 0 ? cart : prices).rotate();
      expect((await send(port, { agent })).body).toBe('ok');
    }
    expect(cart.counters).toMatchObject({ requests: 12, failed: 0, denied: 0 });
    expect(prices.counters).toMatchObject({ inboundRequests: 12, inboundFailed: 0 });
  });

  test('an app that closes its kept connections loses no request', async () => {
    const closing = await world.tcpApp((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
        setTimeout(() => socket.destroy(), 5);
      });
    });
    const { port, cart } = await world.pair(closing, { transport });
    const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
    world.onEnd(() => agent.destroy());
    for (let turn = 0; turn < 20; turn += 1) {
      expect((await send(port, { agent })).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, turn % 10));
    }
    expect(cart.counters.failed).toBe(0);
  });

  test('another workload behind the address is never spoken to (A47)', async () => {
    const app = await world.httpApp((_, reply) => reply.end('secret'));
    const { prices } = await world.pair(app, { transport });
    const upstream: UpstreamConfig = {
      workload: 'orders',
      port: 7002,
      listen: { host: '127.0.0.1', port: 0 },
      protocol: 'http',
      transport,
      spiffeId: world.domain.spiffeId('orders'),
      endpoints: [prices.inbound.address],
      ...upstreamDefaults,
    };
    const cart = await world.calling([upstream]);
    const reply = await send(cart.upstream.port);
    expect(reply).toMatchObject({ status: 502, headers: { 'content-type': 'application/problem+json' } });
    expect(reply.body).not.toContain('secret');
    expect(prices.counters.inboundRequests).toBe(0);
  });

  test('a caller that no rule names gets 403 and the app hears nothing', async () => {
    let heard = 0;
    const app = await world.httpApp((_, reply) => {
      heard += 1;
      reply.end();
    });
    const { port, prices } = await world.pair(app, { transport, allow: [world.domain.spiffeId('orders')] });
    const reply = await send(port, { method: 'POST', body: 'x'.repeat(100_000) });
    expect(reply.status).toBe(403);
    expect(heard).toBe(0);
    const { decisionId } = JSON.parse(reply.body) as { decisionId: string };
    expect(prices.events).toContainEqual(
      expect.objectContaining({ event: 'inbound.denied', reason: 'no-rule-matches', decisionId }),
    );
  });

  test('the app away: 503 as problem+json, and well again when it is back', async () => {
    const { port, cart } = await world.pair(1, { transport });
    expect(await send(port)).toMatchObject({ status: 503, headers: { 'content-type': 'application/problem+json' } });
    expect(cart.counters.requests).toBe(1);
  });
});

test('an answer cut in the middle reaches the caller as a broken one', async () => {
  const app = await world.tcpApp((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
      setTimeout(() => socket.destroy(), 20);
    });
  });
  const { port } = await world.pair(app);
  await expect(send(port)).rejects.toThrow();
});

test('a caller that resets its connection takes its request with it', async () => {
  const gone = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const app = await world.httpApp((incoming) => {
    incoming.on('close', () => gone.resolve());
    asked.resolve();
  });
  const { port, cart } = await world.pair(app);
  const sent = get({ host: '127.0.0.1', port });
  sent.on('error', () => undefined);
  await asked.promise;
  sent.socket?.resetAndDestroy();
  await gone.promise;
  expect(cart.counters.failed).toBe(0);
});

test.each([
  ['GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ['GET / HTTP/1.1\nHost: a\n\n', 400],
  ['GET / HTTP/1.1\r\n\r\n', 400],
  [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, 431],
  ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
  ['GET / HTTP/1.1\r\nHost: a\r\nConnection: x-forwarded-client-cert\r\n\r\n', 400],
])('an ambiguous request is refused by our side already: %.40j', async (bytes, status) => {
  const app = await world.httpApp((_, reply) => reply.end('ok'));
  const { port, prices, cart } = await world.pair(app);
  const answer = await sendRaw(port, bytes);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(prices.counters.inboundRequests).toBe(0);
  expect(cart.counters).toMatchObject({ requests: 1, denied: 1, failed: 0 });
});

test('an HTTP/1.0 request without Host reaches the app as valid HTTP/1.1', async () => {
  const app = await world.httpApp((incoming, reply) => reply.end(incoming.headers.host));
  const { port } = await world.pair(app);
  expect(await sendRaw(port, 'GET / HTTP/1.0\r\n\r\n')).toMatch(
    /^HTTP\/1\.1 200 OK\r\n[^]*Connection: close[^]*localhost$/i,
  );
});

test('pipelined requests are answered in their order', async () => {
  const app = await world.httpApp(
    (incoming, reply) => void setTimeout(() => reply.end(incoming.url), incoming.url === '/1' ? 30 : 0),
  );
  const { port } = await world.pair(app);
  const one = 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n';
  const two = 'GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  expect(await sendRaw(port, one + two)).toMatch(/\/1HTTP\/1\.1 200 OK[^]*\/2$/);
});

test('100 Continue of the app arrives before the body is sent', async () => {
  const app = await world.httpApp((incoming, reply) => void incoming.pipe(reply));
  const { port } = await world.pair(app);
  const sent = request({
    host: '127.0.0.1',
    port,
    method: 'POST',
    headers: { expect: '100-continue', 'content-length': 5 },
  });
  await new Promise((resolve) => sent.on('continue', resolve).flushHeaders());
  const body = new Promise((resolve) =>
    sent.on('response', (reply) => reply.on('data', (data) => resolve(String(data)))),
  );
  sent.end('hello');
  expect(await body).toBe('hello');
});

test('an upload that is refused early is not read to its end (S87)', async () => {
  let bodyBytes = 0;
  const app = await world.httpApp((incoming) => incoming.on('data', (data: Buffer) => (bodyBytes += data.length)));
  const { port } = await world.pair(app, { allow: [] });
  const reply = await sendRaw(
    port,
    Buffer.concat([
      Buffer.from('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n'),
      Buffer.alloc(100_000),
    ]),
  );
  expect(reply).toMatch(/^HTTP\/1\.1 403 /);
  expect(bodyBytes).toBe(0);
});

test('an answer of the other agent counts as failed at ours, a 502 of the app itself does not', async () => {
  const app = await world.tcpApp((socket) => void socket.once('data', () => socket.end('rubbish\r\n\r\n')));
  const broken = await world.pair(app);
  const reply = await send(broken.port);
  expect(reply).toMatchObject({ status: 502 });
  expect(reply.headers['x-eastwest-decision']).toMatch(/^[\w-]{12}$/);
  expect(broken.cart.counters).toMatchObject({ requests: 1, failed: 1 });

  const honest = await world.pair(
    await world.httpApp((_, answer) => answer.writeHead(502, { 'x-eastwest-decision': 'forged' }).end()),
  );
  const own = await send(honest.port);
  expect(own).toMatchObject({ status: 502 });
  expect(own.headers['x-eastwest-decision']).toBeUndefined();
  expect(honest.cart.counters).toMatchObject({ requests: 1, failed: 0 });
});

test('A48: what an app says under names by which the mesh speaks does not leave its agent, in any spelling', async () => {
  const heard: string[] = [];
  const app = await world.tcpApp((socket) => {
    socket.on('data', (bytes) => {
      heard.push(bytes.toString('latin1')); // as cart's agent wrote it: the port is opaque to prices' agent
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
  });
  const { port } = await world.pair(app, { protocol: 'tcp', upstream: { protocol: 'http' } });
  const forged = { 'x-forwarded-client-cert': 'forged', X_Mesh_Identity: 'forged', 'x-eastwest-port': 'forged' };
  expect((await send(port, { headers: { ...forged, 'x-own': 'kept' } })).status).toBe(200);
  expect(heard.join('')).toContain('kept');
  expect(heard.join('')).not.toContain('forged');
});
