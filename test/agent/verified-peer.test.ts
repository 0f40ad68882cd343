import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type ConnectionOptions } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { createIdentityStore } from '#agent/identity/store.ts';
import { serverTlsOptions } from '#agent/tls/contexts.ts';
import { verifyPeer } from '#agent/tls/verified-peer.ts';
import { badLeaves, createTestCa, type TestCertificate } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ca = createTestCa({ nowMs });
const snapshot = createIdentityStore().replace(identityOf(ca.leaf('prices'), { ca, nowMs }));

/** What `verifyPeer` says of a client that Node and OpenSSL would let in: our own judgement alone. */
async function judge(credentials: ConnectionOptions): Promise<string> {
  const server = createServer({ ...serverTlsOptions(snapshot), rejectUnauthorized: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const verdict = Promise.withResolvers<string>();
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    const peer = verifyPeer(socket, { bundle: ca.bundle, nowMs });
    verdict.resolve(peer.ok ? peer.value.spiffeId : peer.reason);
    socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...credentials });
  client.on('error', () => undefined);
  const said = await verdict.promise;
  client.destroy();
  server.close();
  return said;
}

const shown = ({ chainPem, keyPem }: TestCertificate): ConnectionOptions => ({ cert: chainPem, key: keyPem });

describe('the peer of a finished handshake', () => {
  test('is who its certificate says, straight from the root or through an intermediate', async () => {
    expect(await judge(shown(ca.leaf('orders')))).toBe('spiffe://shop.example/ns/default/sa/orders');
    expect(await judge(shown(ca.intermediate().leaf('orders')))).toBe('spiffe://shop.example/ns/default/sa/orders');
  });

  test('that showed nothing has no certificate', async () => {
    expect(await judge({})).toBe('no-certificate');
  });

  test.each([
    ['no URI SAN', ca.leaf('x', badLeaves['no URI SAN']), 'no-uri-san'],
    ['two URI SANs', ca.leaf('x', badLeaves['two URI SANs']), 'several-uri-sans'],
    ['CA:TRUE', ca.leaf('x', badLeaves['CA:TRUE']), 'leaf-is-ca'],
    ['keyCertSign', ca.leaf('x', badLeaves.keyCertSign), 'bad-key-usage'],
    ['expired', ca.leaf('x', { notAfterMs: nowMs - 1000 }), 'expired'],
    ['not yet valid', ca.leaf('x', { notBeforeMs: nowMs + 1000 }), 'not-yet-valid'],
    ['another root', createTestCa({ nowMs }).leaf('x'), 'unknown-authority'],
    ['another trust domain', createTestCa({ nowMs, trustDomain: 'evil.example' }).leaf('x'), 'other-trust-domain'],
  ])('with %s has a reason (A42, A43)', async (_name, certificate, reason) => {
    expect(await judge(shown(certificate))).toBe(reason);
  });
});
