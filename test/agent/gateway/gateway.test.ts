import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { GatewayStage, http2Outsider, sendHttps } from '#support/gateway-stage.ts';
import { ask } from '#support/h2-apps.ts';
import { createTestDomain, type TestDomain } from '#support/identities.ts';
import { PairWorld, send, sendRaw } from '#support/pair-world.ts';

let domain: TestDomain;
let world: PairWorld;
let stage: GatewayStage;

beforeAll(async () => {
  domain = await createTestDomain();
});
beforeEach(() => {
  world = new PairWorld(domain);
  stage = new GatewayStage(world);
});
afterEach(() => world[Symbol.dispose]());

/** An app that says its name and what it heard. */
const sayingApp = (name: string): Promise<number> =>
  world.httpApp((incoming, reply) => {
    const { method, url, headers } = incoming;
    let body = '';
    incoming.on('data', (piece) => (body += String(piece)));
    incoming.on('end', () => reply.end(JSON.stringify({ name, method, url, headers, body })));
  });

interface Heard {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const heard = ({ body }: { readonly body: string }): Heard => JSON.parse(body) as Heard;

describe('a caller from outside (S1, S8)', () => {
  test('reaches workloads by host and path over HTTPS, with HTTP/1.1 and with HTTP/2', async () => {
    await stage.workload('orders', await sayingApp('orders'));
    await stage.workload('web', await sayingApp('web'));
    const gateway = await stage.gateway([
      'shop.example/orders → orders',
      'shop.example/ → web',
      '*.shop.example/ → web',
    ]);

    const order = await sendHttps(gateway, 'https://shop.example/orders/7?x=1', { method: 'POST', body: 'two apples' });
    expect(order.status).toBe(200);
    expect(heard(order)).toMatchObject({ name: 'orders', method: 'POST', url: '/orders/7?x=1', body: 'two apples' });
    expect(heard(await sendHttps(gateway, 'https://www.shop.example/ordersX'))).toMatchObject({ name: 'web' });

    const session = http2Outsider(gateway);
    world.onEnd(() => session.destroy());
    const replies = await Promise.all(
      ['/orders/1', '/', '/orders'].map((path) => ask(session, { ':path': path, ':authority': 'shop.example' })),
    );
    expect(replies.map((reply) => heard(reply).name)).toEqual(['orders', 'web', 'orders']);
  });

  test('is told on by its address, and as nobody of the mesh: what it says of itself is removed (A48)', async () => {
    await stage.workload('orders', await sayingApp('orders'));
    const gateway = await stage.gateway(['shop.example/ → orders']);
    const lies = {
      'x-forwarded-client-cert': 'By=x;URI=spiffe://test.example/ns/default/sa/admin',
      X_Forwarded_Client_Cert: 'URI=spiffe://test.example/ns/default/sa/admin',
      'x-forwarded-for': '10.0.0.1',
      'x-forwarded-proto': 'http',
      forwarded: 'for=10.0.0.1',
      'x-eastwest-port': '1',
      authorization: 'Bearer of.a.user',
    };
    const { headers } = heard(await sendHttps(gateway, 'https://shop.example/', { headers: lies }));
    expect(headers).toMatchObject({
      host: 'shop.example',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example',
      authorization: 'Bearer of.a.user',
    });
    expect(headers['x-forwarded-client-cert']).toMatch(
      /^By=.*;URI=spiffe:\/\/test\.example\/ns\/default\/sa\/gateway$/,
    );
    expect(JSON.stringify(headers)).not.toMatch(/admin|10\.0\.0\.1|eastwest/);
  });

  test('reaches the mesh by plain HTTP on loopback too, where the scheme is told', async () => {
    await stage.workload('orders', await sayingApp('orders'));
    const { httpPort } = await stage.gateway(['shop.example/ → orders']);
    const reply = await send(httpPort, { headers: { host: 'shop.example' } });
    expect(heard(reply).headers).toMatchObject({ 'x-forwarded-proto': 'http' });
  });

  test('keeps a WebSocket, which is one line of the access log at its end (A59)', async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) =>
      socket.on('message', (said: Buffer) => socket.send(`echo ${said.toString()}`)),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    world.onEnd(() => void (sockets.close(), server.closeAllConnections(), server.close()));
    await stage.workload('chat', (server.address() as AddressInfo).port);
    const gateway = await stage.gateway(['shop.example/ → chat']);
    const socket = new WebSocket('wss://shop.example/room?token=secret', {
      createConnection: () =>
        connectTls({
          host: '127.0.0.1',
          port: gateway.httpsPort,
          servername: 'shop.example',
          ca: gateway.ca.bundlePem,
        }),
    });
    await new Promise((resolve) => socket.once('open', resolve));
    const said = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString())));
    socket.send('hello');
    expect(await said).toBe('echo hello');
    expect(gateway.counters.openStreams).toBe(1);
    socket.close();
    await expect
      .poll(() => gateway.lines)
      .toMatchObject([
        {
          direction: 'gateway',
          path: '/room',
          status: 101,
          outcome: 'ok',
          client: '127.0.0.1',
          destination: 'chat:7002',
        },
      ]);
    expect(gateway.counters.openStreams).toBe(0);
  });
});

describe('what is not served', () => {
  test.each([
    ['GET / HTTP/1.1\r\nHost: other.example\r\n\r\n', 421, 'unknown-host'],
    ['GET / HTTP/1.0\r\n\r\n', 421, 'unknown-host'],
    ['GET http://shop.example/orders HTTP/1.1\r\nHost: shop.example\r\n\r\n', 421, 'not-a-proxy'],
    ['CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example\r\n\r\n', 421, 'not-a-proxy'],
    ['GET /else HTTP/1.1\r\nHost: shop.example\r\n\r\n', 404, 'no-route'],
    ['GET /orders/../admin HTTP/1.1\r\nHost: shop.example\r\n\r\n', 400, 'ambiguous-path'],
    [
      'GET /orders HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'bad-request',
    ],
    ['GET /orders HTTP/1.1\r\nHost: shop.example\r\nConnection: x-forwarded-for\r\n\r\n', 400, 'bad-request'],
    ['SETUP /orders HTTP/1.1\r\nHost: shop.example\r\n\r\n', 501, 'bad-request'],
  ])('%j is answered %i (A51, A57)', async (bytes, status, reason) => {
    await stage.workload('orders', await sayingApp('orders'));
    const gateway = await stage.gateway(['shop.example/orders → orders']);
    const answer = await sendRaw(gateway.httpPort, bytes.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*application/problem\\+json`));
    expect([...gateway.counters.gateway.failures.keys()]).toEqual([reason]);
    await expect.poll(() => gateway.lines).toMatchObject([{ direction: 'gateway', status, outcome: 'denied' }]);
    const [line] = gateway.lines;
    expect(answer).toContain(`X-Eastwest-Decision: ${String(line?.['decisionId'])}`);
  });

  test('a refusal costs no connection: the next request on it is served', async () => {
    await stage.workload('orders', await sayingApp('orders'));
    const { httpPort } = await stage.gateway(['shop.example/orders → orders']);
    const lines = ['/else', '/orders'].map((path) => `GET ${path} HTTP/1.1\r\nHost: shop.example\r\n`);
    const answers = await sendRaw(httpPort, `${lines[0]}\r\n${lines[1]}Connection: close\r\n\r\n`);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 404', 'HTTP/1.1 200']);
  });

  test('HEAD is answered without content', async () => {
    await stage.workload('orders', await sayingApp('orders'));
    const gateway = await stage.gateway(['shop.example/orders → orders']);
    const reply = await sendHttps(gateway, 'https://shop.example/else', { method: 'HEAD' });
    expect(reply).toMatchObject({ status: 404, body: '' });
    expect(Number(reply.headers['content-length'])).toBeGreaterThan(10);
  });

  test('a workload that does not admit the gateway: its refusal passes, and is counted', async () => {
    await stage.workload('orders', await sayingApp('orders'), 'http', ['cart']);
    const gateway = await stage.gateway(['shop.example/ → orders']);
    expect(await sendHttps(gateway, 'https://shop.example/')).toMatchObject({ status: 403 });
    expect([...gateway.counters.gateway.failures.keys()]).toEqual(['refused-by-peer']);
    await expect.poll(() => gateway.lines).toMatchObject([{ outcome: 'denied', status: 403 }]);
  });

  test('a workload that cannot be reached: a plain 503 that tells nothing of the inside', async () => {
    const orders = await stage.workload('orders', await sayingApp('orders'));
    const gateway = await stage.gateway(['shop.example/ → orders']);
    orders.inbound.drain();
    orders.inbound.destroy();
    const reply = await sendHttps(gateway, 'https://shop.example/');
    expect(reply.status).toBe(503);
    expect(JSON.parse(reply.body)).toMatchObject({ title: 'The service cannot be reached just now' });
    expect(gateway.lines).toMatchObject([{ outcome: 'failed', status: 503, destination: 'orders:7002' }]);
  });
});

describe('a caller who asks too much', () => {
  const rateLimit = { burst: 3, perSecond: 0.001 };

  test('gets 429 with the time to come again, on a connection that lives on; the app hears nothing of it', async () => {
    const orders = await stage.workload('orders', await sayingApp('orders'));
    const gateway = await stage.gateway(['shop.example/ → orders'], { rateLimit });
    const statuses: number[] = [];
    for (let at = 0; at < 5; at += 1) {
      const { status, headers } = await send(gateway.httpPort, { headers: { host: 'shop.example' } });
      statuses.push(status);
      if (status === 429) expect(Number(headers['retry-after'])).toBeGreaterThan(900);
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    expect(orders.counters.inboundRequests).toBe(3);
    expect(gateway.counters.gateway.failures.get('rate-limited')?.entries().next().value).toEqual(['unknown', 2]);
    expect(gateway.lines.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok', 'denied', 'denied']);

    const get = 'GET / HTTP/1.1\r\nHost: shop.example\r\n';
    const answers = await sendRaw(gateway.httpPort, `${get}\r\n${get}Connection: close\r\n\r\n`);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 429', 'HTTP/1.1 429']);
  });

  test('gets RESOURCE_EXHAUSTED where it speaks gRPC, and other streams of its session live on', async () => {
    await stage.workload('orders', await sayingApp('orders'));
    const gateway = await stage.gateway(['shop.example/ → orders'], { rateLimit: { burst: 1, perSecond: 0.001 } });
    const session = http2Outsider(gateway);
    world.onEnd(() => session.destroy());
    const call = {
      ':method': 'POST',
      ':path': '/orders.Orders/Get',
      'content-type': 'application/grpc',
      te: 'trailers',
    };
    expect(await ask(session, { ':path': '/' })).toMatchObject({ status: 200 });
    expect((await ask(session, call, 'x')).headers).toMatchObject({ ':status': 200, 'grpc-status': '8' });
    expect(await ask(session, { ':path': '/' })).toMatchObject({ status: 429 });
    await expect
      .poll(() => gateway.lines.map(({ status, grpcStatus }) => [status, grpcStatus]))
      .toEqual([
        [200, undefined],
        [429, 8],
        [429, undefined],
      ]);
  });
});

describe('when the agent is told to stop', () => {
  test.each(['HTTP/1.1', 'HTTP/2'])(
    'a request of %s in flight is answered, then nobody is connected any more',
    async (version) => {
      let answer = (): void => undefined;
      const app = await world.httpApp((_, reply) => (answer = () => void reply.end('late')));
      const orders = await stage.workload('orders', app);
      const gateway = await stage.gateway(['shop.example/ → orders']);
      const idle = http2Outsider(gateway);
      const session = http2Outsider(gateway);
      world.onEnd(() => {
        idle.destroy();
        session.destroy();
      });
      await new Promise((resolve) => idle.once('remoteSettings', resolve));
      const reply = version === 'HTTP/2' ? ask(session, { ':path': '/' }) : sendHttps(gateway, 'https://shop.example/');
      await expect.poll(() => orders.counters.inboundRequests).toBe(1);
      gateway.listener.drain();
      await expect(sendHttps(gateway, 'https://shop.example/')).rejects.toThrow('ECONNREFUSED');
      answer();
      expect(await reply).toMatchObject({ status: 200, body: 'late' });
      await expect.poll(() => gateway.listener.connections, { timeout: 5_000 }).toBe(0);
    },
  );
});

test('one caller holds a share of the connections, and the others the rest', async () => {
  await stage.workload('orders', await sayingApp('orders'));
  const gateway = await stage.gateway(['shop.example/ → orders'], { limits: { connections: 200 } });
  const sockets = Array.from({ length: 70 }, () => connect({ port: gateway.httpPort, host: '127.0.0.1' }));
  world.onEnd(() => sockets.forEach((socket) => socket.destroy()));
  for (const socket of sockets) socket.on('error', () => undefined);
  await expect.poll(() => gateway.listener.connections).toBe(64);
  await expect.poll(() => sockets.filter(({ closed }) => closed).length).toBe(6);
  const elsewhere = await sendFrom('127.0.0.2', gateway.httpPort);
  expect(elsewhere).toMatch(/^HTTP\/1\.1 200/);
});

/** One GET from another address of this machine. */
function sendFrom(localAddress: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    socket.on('data', (piece) => (text += piece.toString('latin1')));
    socket.on('error', reject).on('close', () => resolve(text));
    socket.write('GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n');
  });
}
