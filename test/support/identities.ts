import { createTrustBundle, type TrustBundle } from '#certs/trust-bundle.ts';
import { issueRoot } from '#certs/issue-authority.ts';
import { createIssuer, issueSvid } from '#certs/issue-svid.ts';
import { generateKeyPair, generateSerial } from '#certs/keys.ts';
import { workloadSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import type { Identity } from '#agent/identity/store.ts';

/** A trust domain with one root, for tests of the data path: gives identities without a control plane. */
export interface TestDomain {
  readonly bundle: TrustBundle;
  spiffeId(workload: string): SpiffeId;
  identity(workload: string, lifeMs: number): Promise<Identity>;
}

export async function createTestDomain(trustDomain = 'test.example'): Promise<TestDomain> {
  const rootKey = await generateKeyPair();
  const rootDer = issueRoot(
    { trustDomain, issuedAtMs: Date.now(), lifeMs: 3_600_000, serial: generateSerial() },
    rootKey,
  );
  const created = createTrustBundle({ trustDomain, version: 1, roots: [rootDer] });
  if (!created.ok) throw new Error(created.reason);
  const bundle = created.value;
  const spiffeId = (workload: string): SpiffeId => {
    const id = workloadSpiffeId(trustDomain, 'default', workload);
    if (!id.ok) throw new Error(id.reason);
    return id.value;
  };
  return {
    bundle,
    spiffeId,
    async identity(workload, lifeMs) {
      const { publicKey, privateKey } = await generateKeyPair();
      const issuedAtMs = Date.now();
      const order = {
        spiffeId: spiffeId(workload),
        spkiDer: publicKey.export({ format: 'der', type: 'spki' }),
        issuedAtMs,
        lifeMs,
        serial: generateSerial(),
      };
      const leaf = await issueSvid(order, createIssuer(rootDer, rootKey.privateKey));
      const svid = verifySvid([leaf], { bundle, nowMs: issuedAtMs });
      if (!svid.ok) throw new Error(svid.reason);
      return { svid: svid.value, privateKey, bundle, issuedAtMs };
    },
  };
}
