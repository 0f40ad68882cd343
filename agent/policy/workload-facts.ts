import type { InboundConfig } from '#agent/config-types.ts';
import { trustDomainOf, type SpiffeId } from '#certs/spiffe-id.ts';
import type { WorkloadFacts } from '#policy/model.ts';
import { workloadLabels } from '#policy/workload-labels.ts';

/** Whom documents select, outside Kubernetes: namespace by the SVID, labels by the name. */
export function workloadFacts(
  { workload, inbound }: { readonly workload: string; readonly inbound: InboundConfig | undefined },
  spiffeId: SpiffeId,
): WorkloadFacts {
  const [, namespace = ''] = /\/ns\/([^/]+)\/sa\/[^/]+$/.exec(spiffeId) ?? [];
  return {
    trustDomain: trustDomainOf(spiffeId),
    namespace,
    name: workload,
    labels: workloadLabels(workload),
    ports: new Map(inbound?.ports.map(({ port, protocol }) => [port, protocol])),
  };
}
