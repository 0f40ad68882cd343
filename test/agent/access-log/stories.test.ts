import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ask, http2Client, startHttp2App } from '#support/h2-apps.ts';
import { send, sendRaw } from '#support/pair-world.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

const cartId = 'spiffe://test.example/ns/default/sa/cart';
const pricesId = 'spiffe://test.example/ns/default/sa/prices';
const traceId = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

async function silentHttp2App(onAsked: () => void): Promise<number> {
  const app = await startHttp2App(() => onAsked());
  world.onEnd(() => app.end());
  return app.port;
}

function http2Session(port: number): ReturnType<typeof http2Client> {
  const session = http2Client(port);
  world.onEnd(() => session.destroy());
  return session;
}

describe('both agents write one line for a request', () => {
  test('over HTTP/1.1, with the other end’s SPIFFE ID, the bytes and the trace', async () => {
    const app = await world.httpApp((incoming, reply) => incoming.resume().on('end', () => reply.end('twelve bytes')));
    const { port, cart, prices } = await world.pair(app);
    await send(port, { method: 'POST', path: '/price?sku=secret', body: 'seven b', headers: { traceparent } });
    const common = {
      ...{ destination: 'prices:7002', protocol: 'HTTP/1.1', method: 'POST', path: '/price', status: 200, traceId },
      ...{ requestBytes: 7, responseBytes: 12, outcome: 'ok' },
    };
    await expect
      .poll(() => cart.lines)
      .toMatchObject([{ ...common, workload: 'cart', direction: 'outbound', peer: pricesId }]);
    await expect
      .poll(() => prices.lines)
      .toMatchObject([{ ...common, workload: 'prices', direction: 'inbound', peer: cartId }]);
    for (const { durationMs } of [...cart.lines, ...prices.lines]) {
      expect(durationMs).toBeGreaterThanOrEqual(0);
      expect(durationMs).toBeLessThan(5_000);
    }
  });

  test('over HTTP/2, with the status of a gRPC call', async () => {
    const app = await startHttp2App((stream, headers) => {
      const status = headers[':path'] === '/prices.Prices/Missing' ? '5' : '0';
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
      stream.resume().end('answer');
    });
    world.onEnd(() => app.end());
    const { port, cart, prices } = await world.pair(app.port, { protocol: 'http2' });
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    const call = (method: string) => ({
      ...{ ':method': 'POST', ':path': `/prices.Prices/${method}`, 'content-type': 'application/grpc', te: 'trailers' },
    });
    await ask(session, call('Get'), 'question');
    await ask(session, call('Missing'), 'question');
    for (const { lines } of [cart, prices]) {
      await expect
        .poll(() => lines)
        .toMatchObject([
          {
            protocol: 'HTTP/2',
            path: '/prices.Prices/Get',
            status: 200,
            grpcStatus: 0,
            requestBytes: 8,
            responseBytes: 6,
          },
          { protocol: 'HTTP/2', path: '/prices.Prices/Missing', status: 200, grpcStatus: 5 },
        ]);
    }
  });
});

test('an opaque stream is one line at its end, with its bytes', async () => {
  const app = await world.tcpApp((socket) => void socket.pipe(socket));
  const { port, cart, prices } = await world.pair(app, { protocol: 'tcp' });
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write('hello');
  await new Promise((resolve) => socket.once('data', resolve));
  expect([...cart.lines, ...prices.lines]).toEqual([]);
  socket.end();
  for (const { lines } of [cart, prices]) {
    await expect
      .poll(() => lines)
      .toMatchObject([
        { protocol: 'opaque', destination: 'prices:7002', requestBytes: 5, responseBytes: 5, outcome: 'ok' },
      ]);
  }
});

describe('what comes to nothing is a line as well, and leads to the event that has the reason', () => {
  test('a caller that no rule admits', async () => {
    const app = await world.httpApp((_, reply) => reply.end());
    const { port, cart, prices } = await world.pair(app, { allow: [] });
    expect(await send(port, { path: '/a?b=secret' })).toMatchObject({ status: 403 });
    await expect
      .poll(() => prices.lines)
      .toMatchObject([
        { path: '/a', status: 403, outcome: 'denied', reason: 'no-rule-matches', peer: cartId, spiffeId: pricesId },
      ]);
    await expect.poll(() => cart.lines).toMatchObject([{ path: '/a', status: 403, outcome: 'denied', peer: pricesId }]);
    const [event] = prices.events.filter(({ event: name }) => name === 'inbound.denied');
    for (const { lines } of [cart, prices])
      expect(lines[0]).toMatchObject({ decisionId: (event as { decisionId: string }).decisionId });
  });

  const shut = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: shut, namespace: default }
spec: { action: DENY, rules: [{}] }
`;
  const denied = { reason: 'denied-by-rule', decisionId: expect.any(String) as unknown, peer: cartId };

  test.each(['http', 'http2'] as const)('a request that is refused while the app thinks: %s', async (protocol) => {
    const asked = Promise.withResolvers<void>();
    const app = protocol === 'http' ? await world.httpApp(() => asked.resolve()) : await silentHttp2App(asked.resolve);
    const { port, prices } = await world.pair(app, { protocol });
    const answer = protocol === 'http' ? send(port, { path: '/slow' }) : ask(http2Session(port), { ':path': '/slow' });
    await asked.promise;
    prices.push(shut);
    await answer;
    await expect.poll(() => prices.lines).toMatchObject([{ path: '/slow', status: 403, outcome: 'denied', ...denied }]);
  });

  test('an opaque stream that is cut', async () => {
    const app = await world.tcpApp((socket) => void socket.pipe(socket));
    const { port, prices } = await world.pair(app, { protocol: 'tcp' });
    const socket = connect({ port, host: '127.0.0.1' }).on('error', () => undefined);
    socket.write('hello');
    await new Promise((resolve) => socket.once('data', resolve));
    prices.push(shut);
    await expect.poll(() => prices.lines).toMatchObject([{ protocol: 'opaque', outcome: 'cut', ...denied }]);
  });

  test('an app that is gone', async () => {
    const gone = await world.tcpApp(() => undefined);
    world[Symbol.dispose]();
    const { port, cart, prices } = await world.pair(gone);
    expect(await send(port)).toMatchObject({ status: 503 });
    for (const { lines } of [cart, prices]) {
      await expect
        .poll(() => lines)
        .toMatchObject([{ status: 503, outcome: 'failed', decisionId: expect.any(String) }]);
    }
  });

  test('a head that nobody can read, which has no path', async () => {
    const app = await world.httpApp((_, reply) => reply.end());
    const { port, cart } = await world.pair(app);
    await sendRaw(port, 'GET /secret HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
    expect(cart.lines).toMatchObject([{ protocol: 'HTTP', status: 400, outcome: 'denied' }]);
    expect(JSON.stringify(cart.lines)).not.toContain('secret');
  });

  test('a caller that leaves in the middle', async () => {
    const app = await world.httpApp((_, reply) => void reply.writeHead(200, { 'content-length': 100 }).write('half'));
    const { port, cart, prices } = await world.pair(app);
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
    socket.resetAndDestroy();
    for (const { lines } of [cart, prices]) {
      await expect.poll(() => lines).toMatchObject([{ status: 200, outcome: 'cut', responseBytes: 4 }]);
    }
  });

  test('a stream that the app cuts', async () => {
    const app = await world.tcpApp((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const { port, cart } = await world.pair(app, { protocol: 'tcp' });
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.write('x');
    await expect.poll(() => cart.lines).toMatchObject([{ protocol: 'opaque', outcome: 'cut', requestBytes: 1 }]);
    expect(cart.lines[0]).not.toHaveProperty('decisionId');
  });
});
