import type { Hub } from '#control-plane/discovery/hub.ts';
import type { PolicyKeeper } from '#control-plane/policies/keeper.ts';
import type { Store, StoredPolicy } from '#control-plane/store/store.ts';
import { toPolicy } from '#policy/documents.ts';
import { policyKey } from '#proto/messages.ts';
import type { PolicyHandlers } from '#proto/policy-admin.ts';
import type { PolicyStatusResponse } from '#proto/policy-messages.ts';

export interface PolicyHandlerParts {
  readonly store: Pick<Store, 'workloads'>;
  readonly hub: Pick<Hub, 'policyStates'>;
  readonly keeper: PolicyKeeper;
}

/** What the operator's command line may ask of the mesh's policies. */
export function createPolicyHandlers(parts: PolicyHandlerParts): PolicyHandlers {
  const { keeper } = parts;
  return {
    apply: (files) => keeper.apply(files),
    check: (files) => keeper.check(files),
    list: () => ({ revision: keeper.revision(), policies: keeper.all() }),
    delete: (ref) => keeper.delete(ref),
    status: () => statusOf(parts),
  };
}

function statusOf({ store, hub, keeper }: PolicyHandlerParts): PolicyStatusResponse {
  return {
    revision: keeper.revision(),
    documents: keeper.all().length,
    openedBy: openedBy(keeper.all()),
    workloads: store.workloads().map(({ name, spiffeId }) => {
      const agents = hub.policyStates(spiffeId);
      const behind = agents
        .filter(({ isCurrent }) => !isCurrent)
        .map(({ address, revision, behindSinceMs, problem }) => ({
          address,
          revision,
          sinceMs: Math.round(behindSinceMs),
          problem,
        }));
      return { name, spiffeId, agentsConnected: agents.length, agentsCurrent: agents.length - behind.length, behind };
    }),
  };
}

/** The MeshPolicy that lets in whom no rule is about. */
function openedBy(policies: readonly StoredPolicy[]): string {
  const open = policies.find(({ kind, json }) => {
    const read = kind === 'MeshPolicy' ? toPolicy(JSON.parse(json)) : undefined;
    return read?.ok === true && read.value.kind === 'MeshPolicy' && read.value.defaultAction === 'allow';
  });
  return open === undefined ? '' : policyKey(open);
}
