import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type SecureVersion, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { deriveAuthenticatorKeys, hashBytes } from '#agent/proof/authenticator-keys.ts';
import { createTestCa } from '#support/test-ca.ts';

const ca = createTestCa({ nowMs: Date.now() });
const leaf = ca.leaf('prices');

/** Both ends of a real connection. */
async function openTls(options: { ciphers?: string; version?: SecureVersion }) {
  const version = options.version ?? 'TLSv1.3';
  const server = createServer({ cert: leaf.chainPem, key: leaf.keyPem, minVersion: version, maxVersion: version });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'secureConnection');
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    ca: ca.bundlePem,
    checkServerIdentity: () => undefined,
    minVersion: version,
    ...(options.ciphers === undefined ? {} : { ciphers: options.ciphers }),
  });
  await once(client, 'secureConnect');
  const [atServer] = (await accepted) as [TLSSocket];
  return {
    client,
    atServer,
    [Symbol.dispose]() {
      client.destroy();
      atServer.destroy();
      server.close();
    },
  };
}

describe.each([
  ['TLS_AES_128_GCM_SHA256', 'sha256'],
  ['TLS_AES_256_GCM_SHA384', 'sha384'],
  ['TLS_CHACHA20_POLY1305_SHA256', 'sha256'],
] as const)('a real connection with %s', (ciphers, hash) => {
  test('has four values, the same at both ends, as long as its hash', async () => {
    using tls = await openTls({ ciphers });
    const [atClient, atServer] = [deriveAuthenticatorKeys(tls.client), deriveAuthenticatorKeys(tls.atServer)];
    expect(atClient).toEqual(atServer);
    if (!atClient.ok) throw new Error(atClient.reason);
    const { client, server } = atClient.value;
    const values = [client.handshakeContext, client.finishedKey, server.handshakeContext, server.finishedKey];
    expect(values.map((value) => value.length)).toEqual(Array.from({ length: 4 }, () => hashBytes(hash)));
    expect(new Set(values.map((value) => value.toString('hex'))).size).toBe(4);
    expect(atClient.value.hash).toBe(hash);
  });
});

test('an absent exporter context is the same as an empty one (RFC 8446, section 7.5), and not the same as another', async () => {
  using tls = await openTls({ ciphers: 'TLS_AES_128_GCM_SHA256' });
  const label = 'EXPORTER-client authenticator handshake context';
  type Export = (length: number, label: string, context?: Buffer) => Buffer; // its type here forgets that it may be left out
  const at = (context?: Buffer) => (tls.atServer.exportKeyingMaterial as Export).call(tls.atServer, 32, label, context);
  const keys = deriveAuthenticatorKeys(tls.client);
  expect(keys).toMatchObject({ ok: true, value: { hash: 'sha256' } });
  expect(keys.ok && keys.value.client.handshakeContext).toEqual(at());
  expect(at(Buffer.alloc(0))).toEqual(at());
  expect(at(Buffer.alloc(0))).not.toEqual(at(Buffer.from('x')));
});

test('no two connections have the same values', async () => {
  using one = await openTls({});
  using other = await openTls({});
  expect(deriveAuthenticatorKeys(one.client)).not.toEqual(deriveAuthenticatorKeys(other.client));
});

test('TLS 1.2 is refused', async () => {
  using tls = await openTls({ version: 'TLSv1.2' });
  expect(deriveAuthenticatorKeys(tls.client)).toEqual({ ok: false, reason: 'not-tls-1.3' });
});

test('a connection that is over is refused, not a fault', async () => {
  using tls = await openTls({});
  const closed = once(tls.client, 'close');
  tls.client.destroy();
  expect(deriveAuthenticatorKeys(tls.client)).toEqual({ ok: false, reason: 'not-tls-1.3' });
  await closed;
  expect(deriveAuthenticatorKeys(tls.client)).toEqual({ ok: false, reason: 'not-tls-1.3' });
});

test('a suite whose hash we do not know is refused', () => {
  const tls = {
    getProtocol: () => 'TLSv1.3',
    getCipher: () => ({ standardName: 'TLS_SM4_GCM_SM3' }),
    exportKeyingMaterial: () => Buffer.alloc(32),
  };
  expect(deriveAuthenticatorKeys(tls)).toEqual({ ok: false, reason: 'unknown-cipher-suite' });
});
