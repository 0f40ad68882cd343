import { resolve } from 'node:path';
import { askAdmin } from '#cli/admin-socket.ts';
import type { Arguments, Edge } from '#cli/edge.ts';
import { defaultStateDir } from '#cli/run-file.ts';
import type { CallOptions } from '#proto/channel.ts';
import type { PolicyClient } from '#proto/policy-admin.ts';
import type { Refusal } from '#proto/refusal.ts';
import { Fault } from '#runtime/fault.ts';
import type { Result } from '#runtime/result.ts';

/** Ten thousand documents are read and checked within it. */
const deadlineMs = 60_000;

/** One question about policies to the control plane that `--data-dir` names. Throws `Fault` where there is no answer. */
export async function askPolicies<T>(
  { values }: Arguments,
  edge: Edge,
  ask: (client: PolicyClient, options: CallOptions) => Promise<Result<T, Refusal>>,
): Promise<T> {
  const dataDir = resolve(edge.cwd, values['data-dir'] ?? `${defaultStateDir}/control-plane`);
  const options = { deadlineMs, signal: edge.stop };
  const reply = await askAdmin(dataDir, edge, (client) => ask(client.policies, options));
  if (reply.ok) return reply.value;
  throw new Fault('POLICY_REFUSED', `the control plane refused: ${reply.reason.reason}`);
}
