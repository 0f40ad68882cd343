import { connect as connectTls } from 'node:tls';
import { connect as connectHttp2, type ServerHttp2Stream } from 'node:http2';
import { describe, expect, test } from 'vitest';
import type { PortProtocol } from '#agent/config-types.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { clientTlsOptions } from '#agent/tls/contexts.ts';
import { ask, http2Client, startHttp2App } from '#support/h2-apps.ts';
import { send, type PairOptions } from '#support/pair-world.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

async function http2App(serve: Parameters<typeof startHttp2App>[0]): Promise<number> {
  const app = await startHttp2App(serve);
  world.onEnd(() => app.end());
  return app.port;
}
const echoHeaders = (stream: ServerHttp2Stream, headers: object): void => {
  stream.respond({ ':status': 200 });
  stream.end(JSON.stringify(headers));
};
/** A client of the app's side of a pair. */
async function client(appPort: number, options: PairOptions = {}) {
  const pair = await world.pair(appPort, options);
  const session = http2Client(pair.port);
  world.onEnd(() => session.destroy());
  return { ...pair, session };
}
const get = (path = '/'): Record<string, string> => ({ ':path': path, ':authority': 'prices', ':scheme': 'http' });
const grpc = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers', ...get('/shop.Prices/Get') };

describe.each(['auto', 'http2'] as const)('HTTP/2 from the app to an app of HTTP/2 (%s)', (protocol) => {
  test('each request is judged, and the app sees the verified caller and no forged one (S3, A48)', async () => {
    const { session, prices } = await client(await http2App(echoHeaders), { protocol });
    const forged = { 'x-forwarded-client-cert': 'By=evil', 'x-eastwest-port': '1', 'x-mesh-identity': 'evil' };
    const replies = await Promise.all([ask(session, { ...get('/a'), ...forged }), ask(session, get('/b'))]);
    for (const reply of replies) {
      expect(reply.status).toBe(200);
      const seen = JSON.parse(reply.body) as Record<string, string>;
      expect(seen['x-forwarded-client-cert']).toMatch(/URI=spiffe:\/\/test.example\/ns\/default\/sa\/cart$/);
      expect(reply.body).not.toMatch(/evil|x-eastwest/);
    }
    expect(prices.counters.inboundRequests).toBe(2);
  });

  test('gRPC: messages both ways while the call lasts, and its trailers (A61)', async () => {
    const app = await http2App((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine', 'x-eastwest-decision': 'forged' }),
      );
      stream.on('data', (bytes: Buffer) => stream.write(`seen ${bytes.toString()};`));
      stream.on('end', () => stream.end());
    });
    const { session, cart } = await client(app, { protocol });
    const stream = session.request(grpc, { endStream: false });
    const answers = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (const message of ['one', 'two']) {
      stream.write(message);
      expect(String((await answers.next()).value)).toBe(`seen ${message};`);
    }
    const trailers = new Promise((resolve) => stream.once('trailers', resolve));
    stream.end();
    expect(await answers.next()).toMatchObject({ done: true });
    expect(await trailers).toMatchObject({ 'grpc-status': '0', 'grpc-message': 'fine' });
    expect(await trailers, 'only agents name decisions').not.toHaveProperty('x-eastwest-decision');
    expect(cart.counters).toMatchObject({ requests: 1, failed: 0 });
  });

  test('a call that the caller resets is reset at the app', async () => {
    const gone = Promise.withResolvers<number>();
    const app = await http2App((stream) => {
      stream.respond({ ':status': 200 });
      stream.once('close', () => gone.resolve(stream.rstCode));
    });
    const { session, cart } = await client(app, { protocol });
    const stream = session.request(get()).on('error', () => undefined);
    await new Promise((resolve) => stream.once('response', resolve));
    stream.close(8);
    expect(await gone.promise).toBe(8);
    expect(cart.counters.failed).toBe(0);
  });

  test('a call that the app resets is reset at the caller', async () => {
    const app = await http2App((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('half');
      setImmediate(() => stream.destroy(new Error('broken'))); // `close` would say END_STREAM first
    });
    const { session } = await client(app, { protocol });
    await expect(ask(session, get())).rejects.toThrow();
  });

  test('calls live on through rotations of both ends, and new ones are on the newest session (M2)', async () => {
    const app = await http2App((stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    const { session, cart, prices } = await client(app, { protocol });
    const long = session.request({ ...get(), ':method': 'POST' }, { endStream: false });
    const echoed = long[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (let turn = 0; turn < 4; turn += 1) {
      await (turn % 2 === 0 ? cart : prices).rotate();
      long.write(`turn ${turn}`);
      expect(String((await echoed.next()).value)).toBe(`turn ${turn}`);
      expect((await ask(session, get())).status).toBe(200);
    }
    long.end();
    expect(cart.counters).toMatchObject({ requests: 5, failed: 0 });
  });
});

describe('translation', () => {
  test('HTTP/2 from the app reaches an app of HTTP/1.1', async () => {
    const app = await world.httpApp((incoming, reply) => {
      reply.setHeader('trailer', 'x-sum');
      incoming.on('data', (bytes: Buffer) => reply.write(`${incoming.httpVersion} ${bytes.length} `));
      incoming.on('end', () => {
        reply.addTrailers({ 'x-sum': '7' });
        reply.end(incoming.headers.host);
      });
    });
    const { session } = await client(app, { protocol: 'http' });
    const reply = await ask(session, { ...get('/x'), ':method': 'POST' }, 'hello');
    expect(reply).toMatchObject({ status: 200, body: '1.1 5 prices', trailers: { 'x-sum': '7' } });
    const many = await Promise.all(Array.from({ length: 30 }, () => ask(session, get())));
    expect(many.every(({ body }) => body === 'prices')).toBe(true);
  });

  test('HTTP/1.1 from the app reaches an app of HTTP/2', async () => {
    const app = await http2App((stream, headers) => {
      stream.respond({ ':status': 201 });
      stream.end(`${headers[':method']} ${headers[':path']} ${headers[':authority']}`);
    });
    const { port } = await world.pair(app, { protocol: 'http2' });
    const replies = await Promise.all(
      ['/a', '/b'].map((path) => send(port, { path, method: 'POST', body: 'x', headers: { host: 'prices' } })),
    );
    expect(replies.map(({ status, body }) => `${status} ${body}`)).toEqual([
      '201 POST /a prices',
      '201 POST /b prices',
    ]);
  });

  test('an app of HTTP/1.1 that nobody declared is found out, and another one after it too', async () => {
    const first = await world.httpApp((_, reply) => reply.end('one'));
    const { session, prices } = await client(first, { protocol: 'auto' });
    const replies = await Promise.all([ask(session, get('/1')), ask(session, { ...get(), ':method': 'PUT' }, 'body')]);
    expect(replies.map(({ status, body }) => `${status} ${body}`)).toEqual(['200 one', '200 one']);
    expect(await ask(session, get())).toMatchObject({ status: 200, body: 'one' });
    expect(prices.counters).toMatchObject({ inboundRequests: 3, inboundFailed: 0 });
  });
});

describe('our own errors', () => {
  test.each([
    ['', 403, undefined],
    ['application/grpc', 200, '7'],
  ])('a caller that no rule names, content type %j: %s, grpc-status %s', async (contentType, status, grpcStatus) => {
    const { session, prices } = await client(await http2App(echoHeaders), { protocol: 'http2', allow: [] });
    const headers = contentType === '' ? get() : grpc;
    const reply = await ask(session, headers);
    expect(reply.status).toBe(status);
    expect(reply.headers['grpc-status']).toBe(grpcStatus);
    if (status === 403) expect(reply.headers['content-type']).toBe('application/problem+json');
    const decisionId = reply.headers['x-eastwest-decision'];
    expect(prices.events).toContainEqual(expect.objectContaining({ event: 'inbound.denied', decisionId }));
    expect(prices.counters).toMatchObject({ inboundDenied: 1 });
  });

  test.each<[PortProtocol]>([['auto'], ['http'], ['http2']])('the app is away (%s): 503', async (protocol) => {
    const { session, cart } = await client(1, { protocol });
    expect(await ask(session, get())).toMatchObject({
      status: 503,
      headers: { 'content-type': 'application/problem+json' },
    });
    expect(cart.counters).toMatchObject({ requests: 1, failed: 1 });
  });
});

describe('a foreign caller with ALPN h2', () => {
  async function foreign(appPort: number, { as = 'cart', ...options }: PairOptions & { as?: string } = {}) {
    const { prices } = await world.pair(appPort, options);
    const self = createIdentityStore().replace(await world.domain.identity(as, 60_000));
    const socket = connectTls({
      ...prices.inbound.address,
      ...clientTlsOptions(self),
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    socket.on('error', () => undefined);
    const session = connectHttp2('https://prices', { createConnection: () => socket }).on('error', () => undefined);
    world.onEnd(() => session.destroy());
    return { prices, socket, session };
  }
  const getTls = { ...get(), ':scheme': 'https' };

  test('gets HTTP/2 and the first HTTP port, whatever its app speaks', async () => {
    const app = await world.httpApp((incoming, reply) => reply.end(incoming.headers['x-forwarded-client-cert']));
    const { session, socket } = await foreign(app, { protocol: 'auto' });
    const reply = await ask(session, getTls);
    expect(socket.alpnProtocol).toBe('h2');
    expect(reply.body).toMatch(/URI=spiffe:\/\/test.example\/ns\/default\/sa\/cart$/);
  });

  test('names a port as our agents do; every port has its own permit', async () => {
    const { session, prices } = await foreign(await http2App(echoHeaders), { protocol: 'http2' });
    const named = await ask(session, { ...getTls, 'x-eastwest-port': '7002' });
    expect(named.status).toBe(200);
    expect(named.body).not.toContain('x-eastwest');
    for (const port of ['7999', '0', '7002, 7002', '07002']) {
      expect((await ask(session, { ...getTls, 'x-eastwest-port': port })).status).toBe(404);
    }
    expect(prices.counters.inboundDenied).toBe(4);
  });

  test('A53: a request whose end does not come counts from its head on, and is no way around a ceiling', async () => {
    const { session, prices } = await foreign(await http2App(echoHeaders), {
      protocol: 'http2',
      limits: { requests: 2 },
    });
    const held = [1, 2].map(() => session.request(getTls, { endStream: false }).on('error', () => undefined));
    expect((await ask(session, getTls)).status).toBe(503);
    held[0]?.close();
    await expect.poll(async () => (await ask(session, getTls)).status).toBe(200);
    expect(prices.counters.inbound.failures.get('too-many-requests')).toBeDefined();
  });

  test('whom no rule names gets 403 for each request', async () => {
    const { session } = await foreign(await http2App(echoHeaders), { protocol: 'http2', as: 'mallory' });
    for (const _ of [1, 2]) expect((await ask(session, getTls)).status).toBe(403);
  });
});

test('100 requests of one HTTP/2 connection at once, with bodies, come whole and to whom they belong', async () => {
  const app = await http2App((stream, headers) => {
    stream.respond({ ':status': 200, 'x-path': headers[':path'] });
    stream.pipe(stream);
  });
  const { session } = await client(app, { protocol: 'http2' });
  const body = (index: number): string => `${index}:`.repeat(20_000);
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, index) => ask(session, { ...get(`/${index}`), ':method': 'POST' }, body(index))),
  );
  for (const [index, reply] of replies.entries()) {
    expect(reply.headers['x-path']).toBe(`/${index}`);
    expect(reply.body === body(index)).toBe(true);
  }
});
