import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { issueSvid } from '#certs/issue-svid.ts';
import { certificatesToPem } from '#certs/pem.ts';
import { trustBundleToPem } from '#certs/trust-bundle.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { keyToPem, makeKeys } from '#support/test-ca.ts';
import { createAuthority, id, orderFor } from './authority.ts';

test('Node’s own TLS accepts a chain of ours on both sides, and a leaf outside the name constraint on neither', async () => {
  const issuedAtMs = Date.now(); // OpenSSL reads the machine's clock
  const own = await createAuthority('shop.example', issuedAtMs);
  const side = async (spiffeId: string) => {
    const keys = makeKeys();
    const leaf = await issueSvid(orderFor(keys, { spiffeId: id(spiffeId), issuedAtMs }), own.issuer);
    const chain = [leaf, own.issuer.certificateDer];
    return { chain, cert: certificatesToPem(chain), key: keyToPem(keys.privateKey), ca: trustBundleToPem(own.bundle) };
  };
  const prices = await side('spiffe://shop.example/ns/default/sa/prices');
  const outsider = await side('spiffe://bank.example/ns/default/sa/prices');
  // The verdict is read, not acted on: OpenSSL's reason would otherwise be lost in a reset.
  const server = createServer({ ...prices, minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const verdictOn = async (caller: typeof prices): Promise<unknown[]> => {
    const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
    const client = connect({ port, ...caller, checkServerIdentity: () => undefined });
    await once(client, 'secureConnect');
    const [peer] = await accepted;
    const ours = verifySvid(caller.chain, { bundle: own.bundle, nowMs: issuedAtMs });
    expect(peer.getPeerX509Certificate()?.raw).toEqual(caller.chain[0]);
    client.destroy();
    peer.destroy();
    return [client.authorized, peer.authorized, peer.authorizationError ?? null, ours.ok];
  };
  expect(await verdictOn(prices)).toEqual([true, true, null, true]);
  // Node has no name of its own for OpenSSL's "permitted subtree violation".
  expect(await verdictOn(outsider)).toEqual([true, false, 'UNSPECIFIED', false]);
  server.close();
});
