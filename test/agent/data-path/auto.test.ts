import { createServer as createHttpServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { expect, describe, test } from 'vitest';
import { createFakeClock, type FakeClock } from '#support/fake-clock.ts';
import { ask, http2Client, startHttp2App } from '#support/h2-apps.ts';
import { send, sendRaw } from '#support/pair-world.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

/** A connection that keeps what it hears. */
function dial(port: number) {
  const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  world.onEnd(() => socket.destroy());
  let heard = '';
  socket.on('data', (bytes) => (heard += bytes.toString('latin1')));
  socket.on('error', () => undefined);
  const hears = async (text: string): Promise<void> => {
    await expect.poll(() => heard).toContain(text);
  };
  return { socket, hears, heard: () => heard };
}

/** Time goes by in steps of `ms`, and what the sockets have to say meanwhile is heard. */
async function passesUntil(clock: FakeClock, ms: number, isSo: () => boolean): Promise<void> {
  await expect
    .poll(async () => {
      if (!isSo()) await clock.advance(ms);
      return isSo();
    })
    .toBe(true);
}

describe.each(['tunnel', 'mtls'] as const)('a port that is found out (auto, %s)', (transport) => {
  test('HTTP is judged as HTTP, though nobody declared it', async () => {
    const app = await world.httpApp((incoming, reply) => reply.end(incoming.headers['x-forwarded-client-cert']));
    const { port } = await world.pair(app, { protocol: 'auto', transport });
    expect((await send(port)).body).toContain('URI=spiffe://');
  });

  test('bytes that are no HTTP pass as they are, both ways and half-closed', async () => {
    const app = await world.tcpApp((socket) => void socket.pipe(socket));
    const { port, cart, prices } = await world.pair(app, { protocol: 'auto', transport });
    const { socket, hears } = dial(port);
    socket.write(Buffer.from([0, 1, 2]));
    await hears('\x00\x01\x02');
    socket.end('hello');
    await hears('hello');
    await expect.poll(() => socket.closed).toBe(true);
    await expect.poll(() => [cart.counters.openStreams, prices.counters.inboundOpenStreams]).toEqual([0, 0]);
    expect(cart.counters).toMatchObject({ streams: 1, resets: 0, requests: 0 });
    expect(prices.counters).toMatchObject({ inboundRequests: 1 });
  });

  test('a server that speaks first is heard by a caller that waits', async () => {
    const app = await world.tcpApp((socket) => {
      socket.write('220 ready\r\n');
      socket.pipe(socket);
    });
    const { port } = await world.pair(app, { protocol: 'auto', transport });
    const { socket, hears, heard } = dial(port);
    await hears('220 ready');
    socket.write('EHLO cart\r\n');
    await hears('EHLO cart');
    expect(heard()).toBe('220 ready\r\nEHLO cart\r\n');
  });

  test('a caller that was silent and then speaks HTTP is served as HTTP', async () => {
    let connections = 0;
    const app = await world.tcpApp((app) => {
      connections += 1;
      app.once('data', (head: Buffer) => app.end(`HTTP/1.1 200 OK\r\n\r\n${head.toString()}`));
    });
    const clock = createFakeClock(Date.now());
    const { port, prices, cart } = await world.pair(app, { protocol: 'auto', transport, clock });
    const { socket, hears } = dial(port);
    await passesUntil(clock, 50, () => connections === 1); // the app was asked for its first word
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await hears('URI=spiffe://');
    expect(cart.counters).toMatchObject({ requests: 1, resets: 0, streams: 0 });
    expect(prices.counters).toMatchObject({ inboundRequests: 1, inboundDenied: 0, inboundOpenStreams: 0 });
  });

  test('A48: an app never hears HTTP headers unread, however the caller begins', async () => {
    const heard: string[] = [];
    const app = await world.tcpApp((socket) => void socket.on('data', (bytes) => heard.push(bytes.toString('latin1'))));
    const clock = createFakeClock(Date.now());
    const { port } = await world.pair(app, { protocol: 'auto', transport, clock });
    const forged = 'X-Forwarded-Client-Cert: forged\r\n\r\n';
    for (const start of [
      '\r\n\r\nGET / HTTP/1.1\r\n',
      'GET /\r\n',
      'PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\nGET / HTTP/1.1\r\n',
    ]) {
      expect(await sendRaw(port, `${start}Host: a\r\n${forged}`)).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
    }
    const slow = dial(port);
    slow.socket.write('list / HT');
    await passesUntil(clock, 500, () => heard.join('').includes('list / HT'));
    slow.socket.write(`TP/1.1\r\nHost: a\r\n${forged}`);
    await new Promise((resolve) => slow.socket.once('close', resolve));
    expect(heard.join('')).not.toContain('forged');
  });
});

describe('an app that takes for HTTP what no reading of ours does (A48)', () => {
  /** Answers whatever line comes, as old servers do. */
  const lax = (heard: string[]) =>
    world.tcpApp((socket) => {
      socket.on('data', (bytes) => {
        heard.push(bytes.toString('latin1'));
        for (const piece of ['HT', 'TP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok']) socket.write(piece);
      });
    });
  const odd = 'what ever\r\nX-Forwarded-Client-Cert: forged\r\n\r\n';

  test('its answer is never heard, and from then on everything is read as HTTP', async () => {
    const heard: string[] = [];
    const { port, prices } = await world.pair(await lax(heard), { protocol: 'auto' });
    expect(await sendRaw(port, odd)).toBe('');
    expect(prices.events).toContainEqual(expect.objectContaining({ event: 'inbound.http-unread', port: 7002 }));
    heard.length = 0;
    expect(await sendRaw(port, odd)).toMatch(/^HTTP\/1\.1 400 |^$/);
    expect((await send(port)).status).toBe(200);
    expect(heard.join('')).not.toContain('forged');
  });

  test('nor does it hear such a line at all once it has answered a request', async () => {
    const heard: string[] = [];
    const { port } = await world.pair(await lax(heard), { protocol: 'auto' });
    expect((await send(port)).status).toBe(200);
    await sendRaw(port, odd);
    expect(heard.join('')).not.toContain('forged');
  });

  test('one that does not speak HTTP is heard from its first byte on, also when it begins like that', async () => {
    const app = await world.tcpApp((socket) => void socket.once('data', () => socket.end('HTTPS? no')));
    const { port } = await world.pair(app, { protocol: 'auto' });
    expect(await sendRaw(port, '\0')).toBe('HTTPS? no');
    const short = await world.tcpApp((socket) => void socket.once('data', () => socket.end('HT')));
    const other = await world.pair(short, { protocol: 'auto' });
    expect(await sendRaw(other.port, '\0')).toBe('HT');
  });
});

describe('an app that speaks HTTP/2 only, for callers of HTTP/1.1', () => {
  const app = async (): Promise<number> => {
    const { port, end } = await startHttp2App((stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end(String(headers['x-forwarded-client-cert']));
    });
    world.onEnd(end);
    return port;
  };

  test.each(['tunnel', 'mtls'] as const)('is found out by its first answer (%s)', async (transport) => {
    const { port, prices } = await world.pair(await app(), { protocol: 'auto', transport });
    expect((await send(port)).status).toBe(502);
    expect(prices.events).toMatchObject([
      { event: 'inbound.failed', reason: 'bad-response speaks-http2: declare protocol http2' },
    ]);
    expect(await send(port)).toMatchObject({ status: 200, body: expect.stringContaining('URI=spiffe://') as string });
  });

  test('is known from a caller of HTTP/2', async () => {
    const { port } = await world.pair(await app(), { protocol: 'auto' });
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    expect((await ask(session, { ':path': '/' })).status).toBe(200);
    expect((await send(port)).status).toBe(200);
  });

  test('is reached at once where the caller’s upstream says so', async () => {
    const { port } = await world.pair(await app(), { protocol: 'auto', upstream: { protocol: 'http2' } });
    expect((await send(port, { method: 'POST', body: 'x' })).status).toBe(200);
  });

  test('is found out again when another one has taken its place', async () => {
    const old = await startHttp2App((stream) => {
      stream.respond({ ':status': 200 });
      stream.end();
    });
    const { port } = await world.pair(old.port, { protocol: 'auto', upstream: { protocol: 'http2' } });
    expect((await send(port)).status).toBe(200);
    old.end();
    const next = createHttpServer((_, reply) => reply.end('HTTP/1.1'));
    world.onEnd(() => next.close());
    await new Promise<void>((resolve) => next.listen(old.port, '127.0.0.1', resolve));
    await expect.poll(async () => (await send(port)).body).toBe('HTTP/1.1');
  });
});

describe('what an operator is told', () => {
  test('a stream that never opened is no failed request, and its event names the port', async () => {
    const app = await world.tcpApp((socket) => socket.end());
    const { port, prices, cart } = await world.pair(app, { protocol: 'tcp' });
    prices.inbound.drain();
    prices.inbound.destroy();
    const { socket } = dial(port);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(cart.counters).toMatchObject({ requests: 0, failed: 0, streams: 1 });
    expect(cart.events).toMatchObject([
      { event: 'outbound.failed', destination: 'prices:7002', reason: 'unreachable' },
    ]);
  });

  test('a body that is not HTTP has a decision, an event and a count', async () => {
    const app = await world.httpApp((_, reply) => reply.end());
    const { port, cart } = await world.pair(app, { protocol: 'auto' });
    const text = await sendRaw(port, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 400 [^]*X-Eastwest-Decision: /);
    expect(cart.events).toMatchObject([
      { event: 'outbound.failed', reason: expect.stringMatching(/^bad-request-body /) as string },
    ]);
  });

  test('so has a head that does not come to its end', async () => {
    const app = await world.httpApp((_, reply) => reply.end());
    const { port, cart } = await world.pair(app, { protocol: 'http', callerLimits: { headMs: 100 } });
    expect(await sendRaw(port, 'GET / HTTP/1.1\r\nHost:')).toMatch(/^HTTP\/1\.1 408 [^]*X-Eastwest-Decision: /);
    expect(cart.events).toMatchObject([
      { event: 'outbound.refused', reason: 'head-timeout', destination: 'prices:7002' },
    ]);
  });

  test('a port that the destination has not, in both versions alike', async () => {
    const app = await world.httpApp((_, reply) => reply.end());
    const { port, cart } = await world.pair(app, { protocol: 'auto', upstream: { port: 7999 } });
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    const title = expect.stringContaining('The destination has no such HTTP port') as string;
    expect(await ask(session, { ':path': '/' })).toMatchObject({ status: 404, body: title });
    expect(await send(port)).toMatchObject({ status: 404, body: title });
    expect(cart.events).toMatchObject([
      { event: 'outbound.failed', destination: 'prices:7999', reason: 'failed-at-peer' },
      { event: 'outbound.failed', destination: 'prices:7999', reason: 'no-such-port' },
    ]);
  });
});

test('a port on the list of servers that speak first is opaque at once', async () => {
  const app = await world.tcpApp((socket) => socket.end('hello'));
  const { port, cart } = await world.pair(app, { protocol: 'auto', port: 3306 });
  const { hears } = dial(port);
  await hears('hello');
  expect(cart.counters.streams).toBe(1);
});

test('a caller that no rule names gets 403 as HTTP and a cut as anything else, and the app hears nothing', async () => {
  let heard = 0;
  const app = await world.tcpApp(() => void (heard += 1));
  const { port, prices, cart } = await world.pair(app, { protocol: 'auto', allow: [] });
  expect((await send(port)).status).toBe(403);
  const { socket } = dial(port);
  socket.write('\0');
  await new Promise((resolve) => socket.once('close', resolve));
  expect(heard).toBe(0);
  expect(prices.counters).toMatchObject({ inboundDenied: 2, inboundOpenStreams: 0 });
  expect(cart.counters).toMatchObject({ openStreams: 0 });
});
