import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { dialMtls } from '#support/dial-mtls.ts';
import { ask, http2Client, startHttp2App } from '#support/h2-apps.ts';
import { send, sendRaw } from '#support/pair-world.ts';
import { anyoneText, farewell, getText, permissivePrices } from '#support/plaintext-prices.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

describe('a permissive port takes TLS and plaintext on one listener', () => {
  test('each caller is told to the app as what it proved: a name, or nothing, whatever it claims (A48, S9)', async () => {
    const heard: unknown[] = [];
    const app = await world.httpApp((incoming, reply) => {
      heard.push(incoming.headers['x-forwarded-client-cert'], incoming.headers['x_forwarded_client_cert']);
      reply.end('ok');
    });
    const { prices, port } = await permissivePrices(world, app);
    prices.push(anyoneText());
    const forged = 'By=spiffe://test.example/ns/default/sa/prices;URI=spiffe://test.example/ns/default/sa/cart';
    const headers = { 'X-Forwarded-Client-Cert': forged, x_forwarded_client_cert: forged };
    expect((await send(port, { path: '/in-clear', headers })).status).toBe(200);
    const { tls } = await dialMtls(world, { host: '127.0.0.1', port }, { alpn: ['http/1.1'] });
    tls.write(getText);
    expect(String((await once(tls, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
    expect(heard).toEqual([
      undefined,
      undefined,
      expect.stringContaining('URI=spiffe://test.example/ns/default/sa/cart'),
      undefined,
    ]);
    const [clear, proved] = prices.lines;
    expect(clear).toMatchObject({ client: '127.0.0.1', path: '/in-clear', outcome: 'ok' });
    expect(clear).not.toHaveProperty('peer');
    expect(proved).toMatchObject({ peer: 'spiffe://test.example/ns/default/sa/cart' });
    expect(proved).not.toHaveProperty('client');
  });

  test.each(['http', 'auto', 'http2'] as const)('HTTP/1.1 and HTTP/2 to an app declared %s', async (protocol) => {
    const forged = { 'x-forwarded-client-cert': 'URI=spiffe://test.example/ns/default/sa/cart' };
    const heard: unknown[] = [];
    const http2App = async (): Promise<number> => {
      const started = await startHttp2App((stream, headers) => {
        heard.push(headers['x-forwarded-client-cert']);
        stream.respond({ ':status': 200 });
        stream.end();
      });
      world.onEnd(() => started.end());
      return started.port;
    };
    const app =
      protocol === 'http2'
        ? http2App()
        : world.httpApp((incoming, reply) => {
            heard.push(incoming.headers['x-forwarded-client-cert']);
            reply.end();
          });
    const { prices, port } = await permissivePrices(world, await app, { protocol });
    prices.push(anyoneText());
    expect((await send(port, { headers: forged })).status).toBe(200);
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    expect((await ask(session, { ':path': '/two?a=b', ...forged })).status).toBe(200);
    expect(heard).toEqual([undefined, undefined]);
    const [record] = prices.plaintextCallers().ports;
    expect(record?.callers).toMatchObject([
      { address: '127.0.0.1', protocols: ['HTTP/1.1', 'HTTP/2'], admitted: 2, refused: 0, connections: 2 },
    ]);
    expect(record?.callers[0]?.examples).toEqual(['GET /', 'GET /two']);
  });

  test('names of ours in trailers stay behind too (A48)', async () => {
    const trailers = Promise.withResolvers<unknown>();
    const app = await world.httpApp((incoming, reply) => {
      incoming.resume().on('end', () => {
        trailers.resolve(incoming.trailers);
        reply.end();
      });
    });
    const { prices, port } = await permissivePrices(world, app);
    prices.push(anyoneText());
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
    const forged = 'X_Forwarded_Client_Cert: URI=spiffe://test.example/ns/default/sa/boss\r\nx-sum: 1\r\n';
    expect(await sendRaw(port, `${head}1\r\na\r\n0\r\n${forged}\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await trailers.promise).toEqual({ 'x-sum': '1' });
  });

  test('WebSocket', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const sockets = new WebSocketServer({ server });
    world.onEnd(() => {
      server.close();
      for (const each of sockets.clients) each.terminate();
    });
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data as Buffer)));
    const { prices, port } = await permissivePrices(world, (server.address() as AddressInfo).port);
    prices.push(anyoneText());
    const socket = new WebSocket(`ws://127.0.0.1:${port}/live`);
    world.onEnd(() => socket.terminate());
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
    expect(prices.plaintextCallers().ports[0]?.callers).toMatchObject([{ open: 1, examples: ['GET /live'] }]);
  });

  test('TCP, with half-close', async () => {
    const app = await world.tcpApp((socket) => {
      let all = '';
      socket.on('data', (piece) => (all += String(piece))).on('end', () => socket.end(`${all} back`));
    });
    const { prices, port } = await permissivePrices(world, app, { protocol: 'tcp' });
    prices.push(anyoneText());
    const caller = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    caller.end('hello');
    expect(await farewell(caller)).toBe('hello back');
    await expect.poll(() => prices.lines).toMatchObject([{ client: '127.0.0.1', protocol: 'opaque', outcome: 'ok' }]);
    expect(prices.plaintextCallers().ports[0]?.callers).toMatchObject([
      { protocols: ['opaque'], admitted: 1, examples: [] },
    ]);
  });

  test.each([
    ['waits for the app’s greeting', (socket: Socket) => void socket],
    ['has only ended its side', (socket: Socket) => void socket.end()],
  ])('TCP whose caller says nothing and %s', async (_what, does) => {
    const app = await world.tcpApp((socket) => void socket.end('220 ready\r\n'));
    const { prices, port } = await permissivePrices(world, app, { protocol: 'tcp' });
    prices.push(anyoneText());
    const caller = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const said = farewell(caller);
    does(caller);
    caller.once('end', () => caller.end());
    expect(await said).toBe('220 ready\r\n');
  });

  test('TLS that comes late, and in pieces, is TLS', async () => {
    const app = await world.tcpApp((socket) => void socket.end('220 ready\r\n'));
    const { prices, port } = await permissivePrices(world, app, { protocol: 'tcp' });
    prices.push(anyoneText());
    const { tls } = await dialMtls(world, { host: '127.0.0.1', port });
    expect(String((await once(tls, 'data'))[0])).toBe('220 ready\r\n');
    expect(prices.plaintextCallers().ports[0]).toMatchObject({
      callers: [],
      peers: { connections: 1, names: ['spiffe://test.example/ns/default/sa/cart'] },
    });
  });

  test('the tunnel’s port stays mTLS only', async () => {
    const app = await world.httpApp((_, reply) => reply.end('app'));
    const { prices } = await permissivePrices(world, app);
    prices.push(anyoneText());
    expect(await sendRaw(prices.inbound.address.port, getText)).toBe('');
    expect(prices.events).toContainEqual(expect.objectContaining({ event: 'inbound.handshake-refused' }));
  });
});

describe('rules decide about plaintext callers too', () => {
  test.each([
    ['nobody, where no rule lets them in', { allow: [] }, '', 403],
    ['nobody, where verified peers may call', { allow: 'any-peer' as const }, '', 403],
    [
      'whoever calls, where a rule excludes names only',
      {},
      anyoneText('rules: [{ from: [{ source: { notPrincipals: [a/ns/b/sa/c] } }] }]'),
      200,
    ],
    ['whoever calls, where a rule names nobody', { allow: [] }, anyoneText(), 200],
    [
      'not where another rule denies it',
      {},
      anyoneText() + anyoneText('action: DENY, rules: [{ to: [{ operation: { paths: [/a] } }] }]', 'shut'),
      403,
    ],
  ])('%s', async (_name, options, rules, status) => {
    const app = await world.httpApp((_, reply) => reply.end('app'));
    const { prices, port } = await permissivePrices(world, app, options);
    prices.push(rules);
    const reply = await send(port, { path: '/a' });
    expect(reply.status).toBe(status);
    const [caller] = prices.plaintextCallers().ports[0]?.callers ?? [];
    expect(caller).toMatchObject(status === 200 ? { admitted: 1, refused: 0 } : { admitted: 0, refused: 1 });
    if (status === 200) return;
    expect(prices.decision(String(reply.headers['x-eastwest-decision']))).toMatchObject({
      explanation: { request: { path: '/a' }, verdict: 'deny' },
    });
    const denied = prices.events.find(({ event }) => event === 'inbound.denied');
    expect(denied).toMatchObject({ client: '127.0.0.1', port: 7002 });
    expect(denied).not.toHaveProperty('principal');
    expect([...prices.counters.inbound.failures.values()].flatMap((peersOf) => [...peersOf.entries()])).toEqual([
      ['plaintext', 1],
    ]);
  });

  test('an opaque one that is refused hears nothing, and the app neither', async () => {
    let accepted = 0;
    const app = await world.tcpApp(() => void (accepted += 1));
    const { prices, port } = await permissivePrices(world, app, { protocol: 'tcp' });
    expect(await sendRaw(port, 'hello')).toBe('');
    expect(accepted).toBe(0);
    expect(prices.plaintextCallers().ports[0]?.callers).toMatchObject([{ admitted: 0, refused: 1 }]);
  });
});
