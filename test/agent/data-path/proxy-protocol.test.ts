import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { proxyHeader } from '#agent/proxy-protocol/header.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { proxyHeaderLength, readProxyHeader, type ReadProxyHeader } from '#support/proxy-header-reader.ts';
import { anyoneText, modeText, permissivePrices } from '#support/plaintext-prices.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();
const asked = { protocol: 'tcp', proxyProtocol: { spiffeIdTlv: 0xe0 } } as const;
const cart = () => world.domain.spiffeId('cart');

/** An app that answers what it has heard, byte for byte, and keeps the pieces in which it came. */
async function listeningApp() {
  const pieces: Buffer[] = [];
  const sockets: Socket[] = [];
  const port = await world.tcpApp((socket) => {
    sockets.push(socket);
    socket.on('data', (bytes: Buffer) => void pieces.push(bytes));
    socket.on('end', () => socket.end());
  });
  return { port, pieces, sockets };
}

function caller(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  world.onEnd(() => void socket.destroy());
  return socket;
}

async function headerIn(pieces: readonly Buffer[], restBytes = 0): Promise<ReadProxyHeader> {
  const all = (): Buffer => Buffer.concat(pieces);
  await expect.poll(() => all().length - (proxyHeaderLength(all()) ?? Infinity)).toBe(restBytes);
  return readProxyHeader(all());
}

describe.each(['tunnel', 'mtls'] as const)('an app that asks for the PROXY protocol, by %s', (transport) => {
  test('is told who calls before the caller says a word, in one write', async () => {
    const { port: app, pieces } = await listeningApp();
    const { port, prices } = await world.pair(app, { ...asked, transport });
    caller(port);
    const { tlvs, family, source, destination, ssl } = await headerIn(pieces);
    expect(pieces.length, 'one piece').toBe(1);
    expect(tlvs.get(0xe0)?.toString()).toBe(cart());
    expect([family, destination]).toEqual(['TCP4', `127.0.0.1 ${prices.inbound.address.port}`]);
    expect(source).toMatch(/^127\.0\.0\.1 [1-9]\d+$/);
    expect(source, 'the end of the mTLS connection, not of the app’s').not.toBe(destination);
    expect([...(ssl?.tlvs.keys() ?? [])], 'our certificates have no common name').toEqual([0x21]);
  });

  test('gets a caller’s own header as what it is: payload behind ours (A48)', async () => {
    const { port: app, pieces } = await listeningApp();
    const { port } = await world.pair(app, { ...asked, transport });
    const forged = 'PROXY TCP4 203.0.113.1 203.0.113.2 1 2\r\n';
    const binary = Buffer.concat([
      Buffer.from('0d0a0d0a000d0a515549540a2111', 'hex'),
      Buffer.from([0, 12 + 9]),
      Buffer.from('cb007101cb00710200010002', 'hex'),
      Buffer.from([0xe0, 0, 6]),
      Buffer.from('mallor'),
    ]);
    caller(port).write(Buffer.concat([binary, Buffer.from(forged)]));
    const { tlvs, source, rest } = await headerIn(pieces, binary.length + forged.length);
    expect(tlvs.get(0xe0)?.toString()).toBe(cart());
    expect(source).toMatch(/^127\.0\.0\.1 /);
    expect(rest).toEqual(Buffer.concat([binary, Buffer.from(forged)]));
  });

  test('hears nothing of a caller who is not admitted', async () => {
    const { port: app, sockets } = await listeningApp();
    const { port } = await world.pair(app, { ...asked, transport, allow: [world.domain.spiffeId('orders')] });
    const refused = caller(port).resume();
    await new Promise((resolve) => refused.once('close', resolve));
    expect(sockets).toEqual([]);
  });

  test('carries bytes and the end of a stream as ever, and the log counts the caller’s alone', async () => {
    const { port: app, pieces, sockets } = await listeningApp();
    const { port, prices } = await world.pair(app, { ...asked, transport });
    const body = Buffer.alloc(300_000, 'x');
    const socket = caller(port);
    socket.end(body);
    await once(socket.resume(), 'end');
    expect((await headerIn(pieces, body.length)).rest).toEqual(body);
    expect(sockets).toHaveLength(1);
    await expect.poll(() => prices.lines).toMatchObject([{ requestBytes: body.length, outcome: 'ok' }]);
  });
});

test('a plaintext caller of a permissive port has an address and no name, whatever header it sends itself (A48)', async () => {
  const { port: app, pieces } = await listeningApp();
  const { prices, port } = await permissivePrices(world, app, asked);
  prices.push(anyoneText() + modeText('PERMISSIVE'));
  const forged = proxyHeader({
    ...{ source: { host: '192.0.2.1', port: 1 }, destination: { host: '192.0.2.2', port: 2 }, spiffeIdTlv: 0xe0 },
    proved: { spiffeId: cart(), tlsVersion: 'TLSv1.3', commonName: undefined },
  });
  const socket = caller(port);
  socket.write(forged);
  const { tlvs, source, destination, rest } = await headerIn(pieces, forged.length);
  expect([...tlvs.keys()], 'a checksum alone').toEqual([0x03]);
  expect([source, destination]).toEqual([`127.0.0.1 ${socket.localPort}`, `127.0.0.1 ${port}`]);
  expect(rest).toEqual(forged);
});

test('the TLV has the type that is set', async () => {
  const { port: app, pieces } = await listeningApp();
  const { port } = await world.pair(app, { protocol: 'tcp', proxyProtocol: { spiffeIdTlv: 0xef } });
  caller(port);
  expect((await headerIn(pieces)).tlvs.get(0xef)?.toString()).toBe(cart());
});

test('an app that does not ask for it hears the caller alone', async () => {
  const { port: app, pieces } = await listeningApp();
  const { port } = await world.pair(app, { protocol: 'tcp' });
  caller(port).write('hello');
  await expect.poll(() => Buffer.concat(pieces).toString()).toBe('hello');
});

test('who calls stays who calls: after a re-proof new streams of the session say the same, and old ones live on', async () => {
  const { port: app, pieces } = await listeningApp();
  const clock = createFakeClock(Date.now());
  const { port, cart: calling, prices } = await world.pair(app, { ...asked, lifeMs: 30_000, clock });
  const first = caller(port);
  const before = await headerIn(pieces);
  await calling.rotate();
  await expect.poll(() => prices.counters.reProofs).toBe(1);
  first.write('x');
  await headerIn(pieces, 1);
  pieces.length = 0;
  caller(port);
  const after = await headerIn(pieces);
  expect([before, after].map(({ tlvs }) => tlvs.get(0xe0)?.toString())).toEqual([cart(), cart()]);
});
