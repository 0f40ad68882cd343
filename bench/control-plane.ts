import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAdminClient } from '#proto/admin.ts';
import { systemClock } from '#runtime/system-clock.ts';
import type { Identities } from './certificates.ts';
import { freePort, startProcess, type Running, type StartOptions } from './running.ts';
import { createEastwest, launcher } from './subjects/eastwest.ts';
import type { Subject } from './subjects/subject.ts';

export interface ControlPlaneProcess extends AsyncDisposable {
  readonly running: Running;
  /** `host:port` for agents. */
  readonly address: string;
  readonly trustBundlePath: string;
  readonly spiffeId: string;
  /** A token for one agent of this workload. */
  createJoinToken(workload: string): Promise<string>;
  /** Clients and services, one document a text. */
  register(texts: readonly string[]): Promise<void>;
}

/** Nobody is held back: these limits are for callers that misbehave. */
const noLimit = { burst: 1_000_000, perSecond: 1_000_000 };

const deadlineMs = 10_000;

export async function startControlPlane(
  { trustDomain }: Identities,
  { workDir, ...options }: StartOptions & { readonly workDir: string },
): Promise<ControlPlaneProcess> {
  const dir = join(workDir, 'control-plane');
  const config = {
    trustDomain,
    dataDir: join(dir, 'data'),
    listen: `127.0.0.1:${await freePort()}`,
    tokens: { issuer: 'https://sts.bench.example' },
    limits: { issuePerIdentity: noLimit, failedAttestationsPerAddress: noLimit, tokensPerClient: noLimit },
  };
  const configPath = join(dir, 'control-plane.yaml');
  const launch = {
    dir,
    files: { 'control-plane.yaml': JSON.stringify(config) },
    words: [launcher, 'control-plane', '--config', configPath],
    ready: { kind: 'logged', text: '"event":"control-plane.ready"' },
  } as const;
  const running = await startProcess('node', launch, options);
  const ready = (await running.log()).split('\n').find((line) => line.includes(launch.ready.text)) ?? '{}';
  const { address, trustBundle, spiffeId, adminSocket } = JSON.parse(ready) as Record<
    'address' | 'trustBundle' | 'spiffeId' | 'adminSocket',
    string
  >;
  const admin = createAdminClient({ socketPath: adminSocket, clock: systemClock });
  return {
    running,
    address,
    trustBundlePath: trustBundle,
    spiffeId,
    async createJoinToken(workload) {
      const wish = { workload, namespace: 'default', ttlMs: 600_000 };
      const made = await admin.createJoinToken(wish, { deadlineMs, signal: options.signal });
      if (!made.ok) throw new Error(`no join token for ${workload}: ${made.reason.reason}`);
      return made.value.token;
    },
    async register(texts) {
      const files = [{ name: 'bench.yaml', text: texts.join('\n---\n') }];
      const made = await admin.registry.register({ credential: '', files }, { deadlineMs, signal: options.signal });
      if (!made.ok || made.value.problems.length > 0) throw new Error(`not registered: ${JSON.stringify(made)}`);
    },
    async [Symbol.asyncDispose]() {
      admin.close();
      await running[Symbol.asyncDispose]();
    },
  };
}

/** Eastwest with identities from this control plane: for one start of each side. */
export async function eastwestOn(controlPlane: ControlPlaneProcess, workDir: string): Promise<Subject> {
  const { address, trustBundlePath } = controlPlane;
  const fileOf = (workload: string): string => join(workDir, `${workload}.token`);
  for (const workload of ['cart', 'prices']) {
    await writeFile(fileOf(workload), await controlPlane.createJoinToken(workload), { mode: 0o600 });
  }
  return createEastwest((_place, workload) => ({
    controlPlane: { address, trustBundle: trustBundlePath, joinToken: { file: fileOf(workload) } },
  }));
}
