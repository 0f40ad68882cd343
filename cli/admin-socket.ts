import { existsSync } from 'node:fs';
import { findAdminSocket } from '#control-plane/data-dir.ts';
import type { CreateJoinTokenRequest, CreateJoinTokenResponse } from '#proto/admin-messages.ts';
import { createAdminClient, type AdminClient } from '#proto/admin.ts';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';

const deadlineMs = 5_000;
const retryMs = 250;
const awayCodes = new Set(['NO_CONTROL_PLANE', 'CONTROL_PLANE_UNREACHABLE']);

/** Where the control plane with this data directory listens for its operator. Throws `Fault` NO_CONTROL_PLANE. */
async function adminSocketOf(dataDir: string): Promise<string> {
  const socketPath = await findAdminSocket(dataDir);
  if (existsSync(socketPath)) return socketPath;
  throw new Fault('NO_CONTROL_PLANE', `no control plane runs with its data in ${dataDir}`, {
    hint: 'start it, or name its data directory: --data-dir DIR',
  });
}

interface Reach {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Whether the control plane knows an address for each of these workloads; false also while it does not answer. */
export async function endpointsAnnounced(
  dataDir: string,
  workloads: readonly string[],
  reach: Reach,
): Promise<boolean> {
  const socketPath = await adminSocketOf(dataDir);
  const client = createAdminClient({ socketPath, clock: reach.clock });
  try {
    const reply = await client.status({ deadlineMs, signal: reach.signal });
    if (!reply.ok) return false;
    const known = reply.value.workloads.filter(({ endpoints }) => endpoints.length > 0).map(({ name }) => name);
    return workloads.every((name) => known.includes(name));
  } catch {
    reach.signal.throwIfAborted();
    return false;
  } finally {
    client.close();
  }
}

interface Patience {
  readonly patienceMs: number;
  /** Called once, when the first attempt found nobody. */
  onAway?(): void;
}

/** As `createJoinToken`, but waits up to `patienceMs` for a control plane that is just away. */
export async function awaitJoinToken(
  dataDir: string,
  request: CreateJoinTokenRequest,
  { patienceMs, onAway, ...reach }: Reach & Patience,
): Promise<CreateJoinTokenResponse> {
  const untilMs = reach.clock.monotonic() + patienceMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await createJoinToken(dataDir, request, reach);
    } catch (error) {
      const isAway = error instanceof Fault && awayCodes.has(error.code);
      if (!isAway || reach.clock.monotonic() > untilMs) throw error;
      if (attempt === 1) onAway?.();
      await reach.clock.sleep(retryMs, reach.signal);
    }
  }
}

/** Asks the control plane for a join token. Throws `Fault` TOKEN_REFUSED or what the connection failed with. */
async function createJoinToken(
  dataDir: string,
  request: CreateJoinTokenRequest,
  reach: Reach,
): Promise<CreateJoinTokenResponse> {
  const options = { deadlineMs, signal: reach.signal };
  const reply = await askAdmin(dataDir, reach, (client) => client.createJoinToken(request, options));
  if (reply.ok) return reply.value;
  throw new Fault('TOKEN_REFUSED', `the control plane made no token for ${request.workload}: ${reply.reason.reason}`);
}

/** One question to the control plane with this data directory. Throws `Fault` when there is none or it does not answer. */
export async function askAdmin<T>(
  dataDir: string,
  { clock }: Pick<Reach, 'clock'>,
  ask: (client: AdminClient) => Promise<T>,
): Promise<T> {
  const client = createAdminClient({ socketPath: await adminSocketOf(dataDir), clock });
  try {
    return await ask(client);
  } finally {
    client.close();
  }
}
