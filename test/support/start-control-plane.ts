import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildCsr } from '#certs/csr.ts';
import { generateKeyPair, type KeyPair } from '#certs/keys.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { parseControlPlaneConfig } from '#control-plane/config.ts';
import { startControlPlane, type ControlPlane } from '#control-plane/control-plane.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import { createAdminClient, type AdminClient } from '#proto/admin.ts';
import { createMeshClient, type MeshClient } from '#proto/mesh-client.ts';
import type { Attestation, IssueCertificateResponse } from '#proto/issue-messages.ts';
import type { TlsIdentity } from '#proto/pinned-tls.ts';
import type { Refusal } from '#proto/refusal.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Result } from '#runtime/result.ts';
import { systemClock } from '#runtime/system-clock.ts';

export interface TestControlPlane extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  readonly dataDir: string;
  readonly events: readonly ControlPlaneEvent[];
  readonly admin: AdminClient;
  joinToken(workload: string, ttlMs?: number): Promise<string>;
  /** A pinned client; anonymous without an identity. Closed with the control plane. */
  client(identity?: TlsIdentity): MeshClient;
  /** From join token to SVID. */
  join(workload: string): Promise<TlsIdentity>;
  /** Stops it and starts another one on the same data directory. */
  restart(): Promise<void>;
}

export const options = { deadlineMs: 10_000, signal: new AbortController().signal };

/** A real control plane in this process, on a free port and a data directory of its own. */
export async function startTestControlPlane(
  settings: Record<string, unknown> = {},
  { clock = systemClock }: { clock?: Clock } = {},
): Promise<TestControlPlane> {
  const dataDir = await mkdtemp(join(tmpdir(), 'eastwest-cp-'));
  const config = parseControlPlaneConfig(
    JSON.stringify({ trustDomain: 'shop.example', dataDir, listen: '127.0.0.1:0', ...settings }),
  );
  if (!config.ok) throw new Error(config.reason);
  const events: ControlPlaneEvent[] = [];
  const start = () =>
    startControlPlane(config.value, { clock, random: () => 0.5, emit: (event) => events.push(event) });
  let controlPlane = await start();
  let admin = createAdminClient({ socketPath: controlPlane.adminSocket, clock });
  let clients: MeshClient[] = [];
  const stop = async (): Promise<void> => {
    admin.close();
    for (const client of clients) client.close();
    clients = [];
    await controlPlane.close();
  };
  const client = (identity?: TlsIdentity): MeshClient => {
    const made = createMeshClient({
      address: `127.0.0.1:${controlPlane.port}`,
      expectedServer: controlPlane.spiffeId,
      bundle: () => controlPlane.trustBundle,
      clock,
      ...(identity === undefined ? {} : { identity }),
    });
    clients.push(made);
    return made;
  };
  const joinToken = async (workload: string, ttlMs = 60_000): Promise<string> => {
    const made = await admin.createJoinToken({ workload, namespace: 'default', ttlMs }, options);
    if (!made.ok) throw new Error(made.reason.reason);
    return made.value.token;
  };
  return {
    get controlPlane() {
      return controlPlane;
    },
    get admin() {
      return admin;
    },
    dataDir,
    events,
    joinToken,
    client,
    async join(workload) {
      const keys = await generateKeyPair();
      const issued = await issue(client(), keys, { kind: 'join-token', token: await joinToken(workload) });
      if (!issued.ok) throw new Error(issued.reason.reason);
      const svid = verifySvid(issued.value.chain, { bundle: controlPlane.trustBundle, nowMs: clock.now() });
      if (!svid.ok) throw new Error(svid.reason);
      return { svid: svid.value, privateKey: keys.privateKey };
    },
    async restart() {
      await stop();
      controlPlane = await start();
      admin = createAdminClient({ socketPath: controlPlane.adminSocket, clock });
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** One call of IssueCertificate for a key. */
export function issue(
  client: MeshClient,
  keys: KeyPair,
  attestation: Attestation,
): Promise<Result<IssueCertificateResponse, Refusal>> {
  return client.issueCertificate({ csr: buildCsr(keys), attestation }, options);
}
