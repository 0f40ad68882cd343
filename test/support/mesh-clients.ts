import { createIssuer, issueSvid } from '#certs/issue-svid.ts';
import { exportSpki, generateKeyPair, generateSerial } from '#certs/keys.ts';
import { parseSpiffeId } from '#certs/spiffe-id.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { createMeshClient, type MeshClient, type MeshClientOptions } from '#proto/mesh-client.ts';
import type { TlsIdentity } from '#proto/pinned-tls.ts';
import { systemClock } from '#runtime/system-clock.ts';
import type { FakeControlPlane } from './fake-control-plane.ts';
import type { TestAuthority } from './test-ca.ts';

/** A real client of a fake control plane. */
export function clientOf(fake: FakeControlPlane, changes: Partial<MeshClientOptions> = {}): MeshClient & Disposable {
  const client = createMeshClient({
    address: fake.address,
    expectedServer: fake.spiffeId,
    bundle: () => fake.bundle,
    clock: systemClock,
    ...changes,
  });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

/** An SVID of prices, signed now. */
export async function identityOf(ca: TestAuthority, lifeMs = 60_000): Promise<TlsIdentity> {
  const issuing = ca.intermediate();
  const id = parseSpiffeId(`spiffe://${ca.trustDomain}/ns/default/sa/prices`);
  if (!id.ok) throw new Error(id.reason);
  const { publicKey, privateKey } = await generateKeyPair();
  const order = {
    spiffeId: id.value,
    spkiDer: exportSpki(publicKey),
    issuedAtMs: systemClock.now(),
    lifeMs,
    serial: generateSerial(),
  };
  const leaf = await issueSvid(order, createIssuer(issuing.der, issuing.keys.privateKey));
  const svid = verifySvid([leaf, ...issuing.chainDer], { bundle: ca.bundle, nowMs: systemClock.now() });
  if (!svid.ok) throw new Error(svid.reason);
  return { svid: svid.value, privateKey };
}
