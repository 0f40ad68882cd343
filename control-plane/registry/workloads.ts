import { workloadSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import type { Writer } from '#control-plane/store/store.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

export type RegisterProblem = 'workload-in-another-namespace' | 'bad-workload-name' | 'reserved-workload-name';

/** The control plane's own name; no workload gets it. */
export const controlPlaneAccount = { namespace: 'eastwest-system', name: 'control-plane' } as const;

export interface WorkloadName {
  readonly namespace: string;
  readonly name: string;
}

/** Finds the workload, or enters it. A name belongs to one namespace: upstreams are asked for by name alone. */
export function registerWorkload(
  writer: Writer,
  { namespace, name }: WorkloadName,
  { trustDomain, nowMs }: { trustDomain: string; nowMs: number },
): Result<SpiffeId, RegisterProblem> {
  if (namespace === controlPlaneAccount.namespace) return refuse('reserved-workload-name');
  const known = writer.workloadByName(name);
  if (known !== undefined)
    return known.namespace === namespace ? ok(known.spiffeId) : refuse('workload-in-another-namespace');
  const spiffeId = workloadSpiffeId(trustDomain, namespace, name);
  if (!spiffeId.ok) return refuse('bad-workload-name');
  writer.addWorkload({ name, namespace, spiffeId: spiffeId.value });
  writer.audit(nowMs, { kind: 'workload-registered', spiffeId: spiffeId.value, name });
  return spiffeId;
}
