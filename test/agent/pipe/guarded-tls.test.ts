import { once } from 'node:events';
import { connect, TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { guardedClient, guardedServer, type GuardedTls } from '#agent/pipe/guarded-tls.ts';
import { TlsPipe } from '#agent/pipe/tls-pipe.ts';
import { clientTlsOptions } from '#agent/tls/contexts.ts';
import { verifyPeer } from '#agent/tls/verified-peer.ts';
import { connectSockets, serverOptions, shopIdentity, type RawPair } from '#support/pipe-pairs.ts';
import { createRecordingReader } from '#support/recording-reader.ts';
import { turns } from '#support/turns.ts';

interface Meeting {
  readonly raw: RawPair;
  /** Ours. */
  readonly guarded: GuardedTls;
  /** Theirs: TLS as Node does it, and TCP below it. */
  readonly peer: TLSSocket;
  readonly peerRaw: RawPair['client'];
}

const alpn = ['http/1.1'];

async function meet(side: 'client' | 'server'): Promise<Meeting> {
  const raw = await connectSockets();
  if (side === 'client') {
    const peer = new TLSSocket(raw.server, { ...serverOptions, isServer: true, ALPNProtocols: alpn });
    const guarded = guardedClient(raw.client, { ...clientTlsOptions(shopIdentity), ALPNProtocols: alpn });
    peer.on('error', () => undefined);
    await Promise.all([once(guarded.socket, 'secureConnect'), once(peer, 'secure')]);
    return { raw, guarded, peer, peerRaw: raw.server };
  }
  const guarded = guardedServer(raw.server, { ...serverOptions, ALPNProtocols: alpn });
  const peer = connect({ ...clientTlsOptions(shopIdentity), socket: raw.client, ALPNProtocols: alpn });
  peer.on('error', () => undefined);
  await Promise.all([once(peer, 'secureConnect'), once(guarded.socket, 'secure')]);
  return { raw, guarded, peer, peerRaw: raw.client };
}

describe.each(['client', 'server'] as const)('TLS whose %s we are, over a guarded wire', (side) => {
  test('a stream cut by TCP without close_notify is told as a cut (A76)', async () => {
    const { guarded, peer, peerRaw } = await meet(side);
    const reader = createRecordingReader();
    const pipe = guarded.toPipe();
    pipe.reader = reader;
    pipe.resume();
    peer.write('half an ans');
    await reader.got(11);
    peerRaw.end();
    await reader.told('cut');
    expect(reader.story).toEqual(['bytes', 'cut']);
  });

  test('the same, where the bytes and the end of TCP come together (A76)', async () => {
    const { guarded, peer, peerRaw } = await meet(side);
    const reader = createRecordingReader();
    const pipe = guarded.toPipe();
    pipe.reader = reader;
    peer.write('half an ans', () => peerRaw.end());
    await turns();
    pipe.resume();
    await reader.told('cut');
    expect(reader.story.at(-1)).toBe('cut');
    expect(reader.story).not.toContain('end');
  });

  test('a stream that ends with close_notify is told as ended, and can still be written', async () => {
    const { guarded, peer } = await meet(side);
    const reader = createRecordingReader();
    const pipe = guarded.toPipe();
    pipe.reader = reader;
    pipe.resume();
    peer.end('the answer');
    await reader.told('end');
    expect([String(reader.bytes), reader.story]).toEqual(['the answer', ['bytes', 'end']]);
    pipe.writeText('thanks');
    const [thanks] = await once(peer, 'data');
    expect(String(thanks)).toBe('thanks');
    pipe.end();
    await reader.told('cut');
    expect(reader.story).toEqual(['bytes', 'end', 'cut']);
  });

  test.each([
    ['with close_notify it ended', 'end'],
    ['without it was cut (A76)', 'cut'],
  ])('where all had come before it became a pipe: %s', async (_case, expected) => {
    const { guarded, peer, peerRaw } = await meet(side);
    guarded.socket.pause();
    guarded.socket.on('readable', () => undefined); // somebody reads it too early
    if (expected === 'end') peer.end('the answer');
    else peer.write('the answer', () => peerRaw.end());
    await turns();
    guarded.socket.removeAllListeners('readable');
    const reader = createRecordingReader();
    const pipe = guarded.toPipe();
    pipe.reader = reader;
    pipe.resume();
    await reader.told(expected as 'end' | 'cut');
    expect([String(reader.bytes), reader.story]).toEqual(['the answer', ['bytes', expected]]);
    pipe.cut();
  });

  test('a reset is a cut', async () => {
    const { guarded, peerRaw } = await meet(side);
    const reader = createRecordingReader();
    const pipe = guarded.toPipe();
    pipe.reader = reader;
    pipe.resume();
    peerRaw.resetAndDestroy();
    await reader.told('cut');
    expect(reader.story).toEqual(['cut']);
  });

  test('certificate, ALPN and exporter work as on any TLS socket', async () => {
    const { guarded, peer } = await meet(side);
    const verified = verifyPeer(guarded.socket, { bundle: shopIdentity.bundle, nowMs: shopIdentity.issuedAtMs });
    expect(verified.ok && verified.value.spiffeId).toBe('spiffe://shop.example/ns/default/sa/cart');
    expect(guarded.socket.alpnProtocol).toBe('http/1.1');
    const ours = guarded.socket.exportKeyingMaterial(32, 'EXPORTER-test', Buffer.alloc(0));
    expect(ours).toEqual(peer.exportKeyingMaterial(32, 'EXPORTER-test', Buffer.alloc(0)));
    guarded.toPipe().cut();
  });
});

test('why it is needed: on a plain TLS socket the same cut looks like an end (A76)', async () => {
  const raw = await connectSockets();
  const peer = new TLSSocket(raw.server, { ...serverOptions, isServer: true });
  const socket = connect({ ...clientTlsOptions(shopIdentity), socket: raw.client });
  peer.on('error', () => undefined);
  await Promise.all([once(socket, 'secureConnect'), once(peer, 'secure')]);
  const reader = createRecordingReader();
  const pipe = new TlsPipe(socket);
  pipe.reader = reader;
  pipe.resume();
  peer.write('half an ans', () => raw.server.end());
  await reader.told('end');
  expect(reader.story).toEqual(['bytes', 'end']);
  pipe.cut();
});

test('TCP that ends in the middle of the handshake closes the TLS socket', async () => {
  const raw = await connectSockets();
  const guarded = guardedClient(raw.client, clientTlsOptions(shopIdentity));
  guarded.socket.on('error', () => undefined);
  raw.server.end();
  await new Promise((resolve) => guarded.socket.once('close', resolve));
  expect([guarded.socket.destroyed, raw.client.destroyed]).toEqual([true, true]);
  raw.server.destroy();
});
