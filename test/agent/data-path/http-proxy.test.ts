import { request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ask, http2Client, startHttp2App } from '#support/h2-apps.ts';
import { send, sendRaw } from '#support/pair-world.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

describe('captured by HTTP_PROXY', () => {
  test('an absolute-form request goes to the workload it names', async () => {
    const app = await world.httpApp((incoming, reply) => reply.end(`${incoming.url} ${incoming.headers.host}`));
    const { port } = await world.pair(app, { capture: 'http-proxy' });
    const reply = await send(port, { path: 'http://prices:7002/a?b=c', headers: { host: 'prices:7002' } });
    expect(reply).toMatchObject({ status: 200, body: '/a?b=c prices:7002' });
    expect(await send(port, { path: 'http://prices', headers: { host: 'prices' } })).toMatchObject({
      status: 200,
      body: '/ prices',
    });
  });

  test('CONNECT opens the workload it names, read as its protocol', async () => {
    const app = await world.httpApp((_, reply) => reply.end('through'));
    const { port, prices } = await world.pair(app, { capture: 'http-proxy' });
    const sent = request({
      host: '127.0.0.1',
      port,
      method: 'CONNECT',
      path: 'prices:7002',
      headers: { host: 'prices:7002' },
    });
    const answer = await new Promise<string>((resolve) => {
      sent.on('connect', (_, socket) => {
        socket.write('GET / HTTP/1.1\r\nHost: prices\r\nConnection: close\r\n\r\n');
        let text = '';
        socket.on('data', (data) => (text += String(data)));
        socket.on('end', () => resolve(text));
      });
      sent.end();
    });
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK[^]*through$/);
    expect(prices.counters.inboundRequests).toBe(1);
  });

  test.each([
    ['GET http://elsewhere.example/ HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n', 'an unknown host'],
    ['GET http://169.254.169.254/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n', 'a metadata address'],
    ['GET https://prices:7002/ HTTP/1.1\r\nHost: prices:7002\r\n\r\n', 'another scheme'],
    ['GET / HTTP/1.1\r\nHost: prices:7002\r\n\r\n', 'no absolute form'],
    ['CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example:443\r\n\r\n', 'CONNECT elsewhere'],
  ])('%j is refused: %s', async (bytes) => {
    const app = await world.httpApp((_, reply) => reply.end());
    const { port, cart, prices } = await world.pair(app, { capture: 'http-proxy' });
    expect(await sendRaw(port, bytes)).toMatch(/^HTTP\/1\.1 502 /);
    expect(cart.counters.denied).toBe(1);
    expect(prices.counters.inboundRequests).toBe(0);
  });

  test('HTTP/2 with prior knowledge names its workloads by :authority', async () => {
    const app = await startHttp2App((stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end(`${headers[':path']} ${headers[':authority']}`);
    });
    world.onEnd(() => app.end());
    const { port, cart } = await world.pair(app.port, { capture: 'http-proxy', protocol: 'http2' });
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    const to = (authority: string) => ({ ':path': '/a', ':authority': authority, ':scheme': 'http' });
    const replies = await Promise.all([ask(session, to('prices:7002')), ask(session, to('elsewhere.example'))]);
    expect(replies[0]).toMatchObject({ status: 200, body: '/a prices:7002' });
    expect(replies[1]).toMatchObject({ status: 502 });
    expect(cart.counters).toMatchObject({ requests: 2, denied: 1 });
  });

  test.each([
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', '\0\0'],
    ['HTTP/1.1', 'GET / HTTP/1.1\r\nHost: prices\r\n\r\n', 'HTTP/1.1 200 OK'],
    ['something else', '\0 hello', '\0 hello'],
  ])('after CONNECT the first bytes tell, also when they come with it: %s', async (protocol, bytes, answer) => {
    const app =
      protocol === 'something else'
        ? await world.tcpApp((socket) => void socket.pipe(socket))
        : await world.httpApp((_, reply) => reply.end('through'));
    const { port } = await world.pair(app, { capture: 'http-proxy', protocol: 'auto' });
    const socket = connect({ port, host: '127.0.0.1' }, () =>
      socket.write(`CONNECT prices:7002 HTTP/1.1\r\nHost: prices:7002\r\n\r\n${bytes}`, 'latin1'),
    );
    world.onEnd(() => socket.destroy());
    let heard = '';
    socket.on('data', (data) => (heard += data.toString('latin1')));
    await expect.poll(() => heard).toContain(`HTTP/1.1 200 Connection Established\r\n\r\n${answer}`);
  });
});

describe('past the mesh, where that is allowed', () => {
  test('requests go to whom they name, in plaintext and without identity', async () => {
    const outside = await world.httpApp((incoming, reply) => reply.end(JSON.stringify(incoming.headers)));
    const app = await world.httpApp((_, reply) => reply.end('inside'));
    const { port } = await world.pair(app, { capture: 'http-proxy', unknown: 'passthrough' });
    const host = `127.0.0.1:${outside}`;
    const reply = await send(port, { path: `http://${host}/a`, headers: { host } });
    expect(JSON.parse(reply.body)).toMatchObject({ host });
    expect(reply.body).not.toContain('spiffe');
    expect(await send(port, { path: 'http://prices:7002/', headers: { host: 'prices:7002' } })).toMatchObject({
      body: 'inside',
    });
  });

  test('CONNECT is opaque, and 503 or a cut tells that nobody is there', async () => {
    const outside = await world.tcpApp((socket) => void socket.pipe(socket));
    const app = await world.httpApp((_, reply) => reply.end('inside'));
    const { port, cart } = await world.pair(app, { capture: 'http-proxy', unknown: 'passthrough' });
    const socket = connect({ port, host: '127.0.0.1' }, () =>
      socket.write(`CONNECT 127.0.0.1:${outside} HTTP/1.1\r\nHost: 127.0.0.1:${outside}\r\n\r\nGET is echoed`),
    );
    world.onEnd(() => socket.destroy());
    let heard = '';
    socket.on('data', (data) => (heard += String(data)));
    await expect.poll(() => heard).toContain('Established\r\n\r\nGET is echoed');
    expect(cart.counters).toMatchObject({ streams: 1, openStreams: 1 });
    expect(await send(port, { path: 'http://127.0.0.1:1/', headers: { host: '127.0.0.1:1' } })).toMatchObject({
      status: 503,
    });
  });
});
