import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { ServingAgent } from '#support/agent-pair.ts';
import { dialMtls } from '#support/dial-mtls.ts';
import { ask, http2Client } from '#support/h2-apps.ts';
import { send, sendRaw } from '#support/pair-world.ts';
import { anyoneText, dialTcp, farewell, getText, modeText, permissivePrices } from '#support/plaintext-prices.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

describe('a strict port turns plaintext away (A63)', () => {
  test.each(['http', 'tcp', 'auto'] as const)('%s: without a byte, and says what to do', async (protocol) => {
    let accepted = 0;
    const app = await world.tcpApp(() => void (accepted += 1));
    const { prices, port } = await permissivePrices(world, app, { protocol, mode: 'STRICT' });
    prices.push(anyoneText());
    expect(await sendRaw(port, getText)).toBe('');
    expect(accepted).toBe(0);
    expect(prices.events).toContainEqual({
      ...{ event: 'inbound.plaintext-refused', client: '127.0.0.1', port: 7002, reason: 'port-is-strict' },
      hint: expect.stringContaining('PeerAuthentication'),
    });
    expect(prices.counters.plaintextRefused).toBe(1);
    expect(prices.plaintextCallers().ports).toMatchObject([{ mode: 'STRICT', callers: [{ admitted: 0, refused: 1 }] }]);
    const { tls } = await dialMtls(world, { host: '127.0.0.1', port });
    tls.write(getText);
    await expect.poll(() => accepted).toBe(1);
  });
});

test('a caller that resets its connection at once leaves no entry without an address (A63)', async () => {
  const app = await world.tcpApp(() => undefined);
  const { prices, port } = await permissivePrices(world, app, { mode: 'STRICT' });
  for (let at = 0; at < 50; at += 1) {
    const caller = dialTcp(world, port);
    caller.once('connect', () => caller.write('GET', () => caller.resetAndDestroy()));
  }
  await expect.poll(() => prices.counters.plaintextRefused + prices.counters.handshakesRefused).toBe(50);
  await sendRaw(port, getText);
  expect(prices.plaintextCallers().ports[0]?.callers.map(({ address }) => address)).toEqual(['127.0.0.1']);
});

describe('a change of mode is in force at once, on what runs too', () => {
  const ms = 1_000;
  const toStrict = async (prices: ServingAgent, ends: Promise<unknown>) => {
    const before = performance.now();
    prices.push(anyoneText() + modeText('STRICT'));
    await ends;
    expect(performance.now() - before).toBeLessThan(ms);
    await expect.poll(() => prices.inbound.connections).toBe(0);
    expect(prices.plaintextCallers().ports).toMatchObject([{ mode: 'STRICT', callers: [{ open: 0 }] }]);
  };

  test.each([
    ['an idle HTTP/1.1 connection', 'http', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['an opaque stream', 'tcp', 'hello', 'hello'],
    ['a stream that was found to be opaque', 'auto', '\0', 'hello'],
    [
      'a WebSocket',
      'http',
      'GET /live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    ],
  ] as const)('%s ends', async (_what, protocol, says, answer) => {
    const app = await world.tcpApp((socket) => void socket.once('data', () => socket.write(answer)));
    const { prices, port } = await permissivePrices(world, app, { protocol });
    prices.push(anyoneText() + modeText('PERMISSIVE'));
    const caller = dialTcp(world, port, says);
    await once(caller, 'data');
    await toStrict(prices, farewell(caller));
    expect(await sendRaw(port, says)).toBe('');
  });

  test('a request without an answer gets 403, HTTP/2 a goodbye; the app hears no further one', async () => {
    const app = await world.httpApp(() => undefined);
    const { prices, port } = await permissivePrices(world, app);
    prices.push(anyoneText() + modeText('PERMISSIVE'));
    const waiting = send(port);
    const session = http2Client(port);
    world.onEnd(() => session.destroy());
    const goodbye = once(session, 'goaway');
    const asked = ask(session, { ':path': '/' });
    await expect.poll(() => prices.counters.inboundRequests).toBe(2);
    const closed = new Promise((resolve) => session.once('close', resolve));
    await toStrict(prices, Promise.all([waiting, asked, closed]));
    expect((await waiting).status).toBe(403);
    const told = prices.decision(String((await waiting).headers['x-eastwest-decision']));
    expect(told).toMatchObject({ reason: 'port-is-strict', explanation: { verdict: 'deny', isTurnedAway: true } });
    expect((await asked).status).toBe(403);
    expect((await goodbye)[0]).toBe(0);
    const denied = prices.events.filter(({ event }) => event === 'inbound.denied');
    expect(denied.map((event) => 'reason' in event && event.reason)).toEqual(['port-is-strict', 'port-is-strict']);
  });

  test('a caller that has said nothing yet is turned away', async () => {
    const app = await world.httpApp((_, reply) => reply.end('app'));
    const { prices, port } = await permissivePrices(world, app);
    prices.push(anyoneText() + modeText('PERMISSIVE'));
    const caller = dialTcp(world, port);
    await once(caller, 'connect');
    prices.push(anyoneText() + modeText('STRICT'));
    caller.write(getText);
    expect(await farewell(caller)).toBe('');
  });

  test('peers notice nothing of it, and plaintext comes in again when it may', async () => {
    const app = await world.tcpApp((socket) => void socket.pipe(socket));
    const { prices, port } = await permissivePrices(world, app, { protocol: 'tcp', mode: 'STRICT' });
    const { tls } = await dialMtls(world, { host: '127.0.0.1', port });
    tls.write('a');
    await once(tls, 'data');
    for (const mode of ['PERMISSIVE', 'STRICT', 'PERMISSIVE']) prices.push(anyoneText() + modeText(mode));
    tls.write('b');
    expect(String((await once(tls, 'data'))[0])).toBe('b');
    const caller = dialTcp(world, port, 'hello');
    expect(String((await once(caller, 'data'))[0])).toBe('hello');
    const changes = prices.events.filter(({ event }) => event === 'inbound.mode-changed');
    expect(changes.map((event) => 'mode' in event && event.mode)).toEqual(['PERMISSIVE', 'STRICT', 'PERMISSIVE']);
  });
});

describe('plaintext callers are bounded', () => {
  test('they get half of all connections at most, and one address four fifths of those', async () => {
    const app = await world.tcpApp(() => undefined);
    const { prices, port } = await permissivePrices(world, app, { protocol: 'tcp', limits: { connections: 10 } });
    prices.push(anyoneText());
    const held = Array.from({ length: 4 }, () => dialTcp(world, port, 'x'));
    await expect.poll(() => prices.inbound.connections).toBe(4);
    expect(await sendRaw(port, 'x')).toBe('');
    const { tls } = await dialMtls(world, { host: '127.0.0.1', port });
    tls.write('x');
    await expect.poll(() => prices.counters.inboundOpenStreams).toBe(5);
    held[0]!.resetAndDestroy();
    await expect.poll(() => prices.inbound.connections).toBe(4);
    dialTcp(world, port, 'x');
    await expect.poll(() => prices.inbound.connections).toBe(5);
  });

  test('a head that does not end is 408, and a too long one 431 (A54)', async () => {
    const app = await world.httpApp((_, reply) => reply.end());
    const { port } = await permissivePrices(world, app, { limits: { headMs: 200, headBytes: 2_000 } });
    expect(await sendRaw(port, 'GET / HTTP/1.1\r\nHost: a\r\n')).toMatch(/^HTTP\/1\.1 408 /);
    expect(await sendRaw(port, `GET / HTTP/1.1\r\nHost: a\r\nx: ${'y'.repeat(3_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });
});
