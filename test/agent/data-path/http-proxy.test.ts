import { request } from 'node:http';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestDomain, type TestDomain } from '#support/identities.ts';
import { PairWorld, send, sendRaw } from '#support/pair-world.ts';

let domain: TestDomain;
let world: PairWorld;

beforeAll(async () => {
  domain = await createTestDomain();
});
beforeEach(() => {
  world = new PairWorld(domain);
});
afterEach(() => world[Symbol.dispose]());

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
});
