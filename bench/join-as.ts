import { readFile } from 'node:fs/promises';
import { buildCsr } from '#certs/csr.ts';
import { generateKeyPair } from '#certs/keys.ts';
import { parseSpiffeId } from '#certs/spiffe-id.ts';
import { parseTrustBundlePem } from '#certs/trust-bundle.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { createMeshClient, type MeshClient, type MeshClientOptions } from '#proto/mesh-client.ts';
import type { Attestation } from '#proto/issue-messages.ts';
import type { Result } from '#runtime/result.ts';
import { systemClock } from '#runtime/system-clock.ts';
import type { ControlPlaneProcess } from './control-plane.ts';
import type { Bench } from './parts/part.ts';

const deadlineMs = 10_000;

/** One workload: its connection, authenticated by its SVID, and its request for the next one. */
export interface Caller {
  readonly client: MeshClient;
  readonly csr: Buffer;
}

export async function joinAs(workload: string, controlPlane: ControlPlaneProcess, bench: Bench): Promise<Caller> {
  const pem = await readFile(controlPlane.trustBundlePath, 'utf8');
  const { trustDomain } = bench.identities;
  const bundle = must(parseTrustBundlePem(pem, { trustDomain, version: 1 }));
  const server: MeshClientOptions = {
    address: controlPlane.address,
    expectedServer: must(parseSpiffeId(controlPlane.spiffeId)),
    bundle: () => bundle,
    clock: systemClock,
  };
  const { publicKey, privateKey } = await generateKeyPair();
  const csr = buildCsr({ publicKey, privateKey });
  const first = createMeshClient(server);
  try {
    const token = await controlPlane.createJoinToken(workload);
    const { chain, signedAtMs } = await issueOne(first, csr, { kind: 'join-token', token }, bench.signal);
    const svid = must(verifySvid(chain, { bundle, nowMs: signedAtMs }));
    return { csr, client: createMeshClient({ ...server, identity: { svid, privateKey } }) };
  } finally {
    first.close();
  }
}

export async function issueOne(client: MeshClient, csr: Buffer, attestation: Attestation, signal: AbortSignal) {
  return must(await client.issueCertificate({ csr, attestation }, { deadlineMs, signal }));
}

export function must<T>(result: Result<T, unknown>): T {
  if (result.ok) return result.value;
  throw new Error(`refused: ${JSON.stringify(result.reason)}`);
}
