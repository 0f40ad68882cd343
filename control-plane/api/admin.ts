import type { Authority } from '#control-plane/ca/authority.ts';
import type { Hub } from '#control-plane/discovery/hub.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import type { PolicyKeeper } from '#control-plane/policies/keeper.ts';
import { registerWorkload } from '#control-plane/registry/workloads.ts';
import { makeSecret } from '#control-plane/secret-text.ts';
import type { Store } from '#control-plane/store/store.ts';
import type { AdminHandlers } from '#proto/admin.ts';
import type { RegistryHandlers } from '#proto/registry-admin.ts';
import type { StatusResponse } from '#proto/admin-messages.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';
import { ok, refuse } from '#runtime/result.ts';
import { createPolicyHandlers } from './policies.ts';

export interface AdminParts {
  readonly store: Store;
  readonly authority: Authority;
  readonly hub: Hub;
  readonly keeper: PolicyKeeper;
  readonly registry: RegistryHandlers;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
}

const longestTtlMs = 24 * 3_600_000;

/** What the operator's command line may ask for. */
export function createAdminHandlers(parts: AdminParts): AdminHandlers {
  const { store, authority, hub, clock, emit } = parts;
  return {
    async createJoinToken({ workload, namespace, ttlMs }) {
      if (ttlMs > longestTtlMs) return refuse({ code: 'invalid-argument', reason: 'join-token-lives-24h-at-most' });
      const nowMs = clock.now();
      const expiresAtMs = nowMs + ttlMs;
      const { text: token, id, hash: secretHash } = makeSecret('ew1');
      const { trustDomain } = authority;
      const created = await store.write((writer) => {
        const spiffeId = registerWorkload(writer, { namespace, name: workload }, { trustDomain, nowMs });
        if (!spiffeId.ok) return spiffeId;
        writer.addJoinToken({ id, secretHash, spiffeId: spiffeId.value, expiresAtMs });
        writer.audit(nowMs, { kind: 'join-token-created', spiffeId: spiffeId.value, tokenId: id, expiresAtMs });
        return spiffeId;
      });
      if (!created.ok) return refuse({ code: 'invalid-argument', reason: created.reason });
      emit({ event: 'join-token.created', spiffeId: created.value, tokenId: id, expiresAtMs });
      hub.refreshAll(); // the workload may be new, and already asked for
      return ok({ token, spiffeId: created.value, expiresAtMs });
    },
    status: () => Promise.resolve(statusOf(parts)),
    policies: createPolicyHandlers(parts),
    registry: parts.registry,
  };
}

function statusOf({ store, authority, hub }: AdminParts): StatusResponse {
  const head = store.auditHead();
  return {
    trustDomain: authority.trustDomain,
    bundleVersion: authority.trustBundle.version,
    rootNotAfterMs: authority.root.notAfterMs,
    intermediateNotAfterMs: authority.intermediate().notAfterMs,
    workloads: store.workloads().map(({ name, spiffeId, issued, notAfterMs }) => {
      const { connected, bundleVersion } = hub.agentsOf(spiffeId);
      return {
        name,
        spiffeId,
        issued,
        notAfterMs,
        agentsConnected: connected,
        bundleVersionAcknowledged: bundleVersion,
        endpoints: hub.endpointsOf(spiffeId),
      };
    }),
    auditRecords: head.seq,
    auditHead: Buffer.from(head.hash).toString('hex'),
  };
}
