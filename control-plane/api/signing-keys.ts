import type { Authorize } from '#control-plane/operators/authorize.ts';
import type { RecordRefusal } from '#control-plane/operators/refusals.ts';
import { placesOf } from '#control-plane/sts/ring-changes.ts';
import type { SigningKeys } from '#control-plane/sts/signing-keys.ts';
import type { TokenCounts } from '#control-plane/sts/token-log.ts';
import type { RegistryHandlers } from '#proto/registry-admin.ts';
import { ok, refuse } from '#runtime/result.ts';
import { publishedKeys } from '#tokens/key-ring.ts';

/** What operators see and change of the token service. */
export interface SigningKeyDesk {
  readonly issuer: string;
  readonly keys: SigningKeys;
  counts(): TokenCounts;
  agents(): { readonly connected: number; readonly current: number };
}

export interface SigningKeyHandlerParts {
  readonly desk: () => SigningKeyDesk | undefined;
  readonly authorize: Authorize;
  readonly recordRefusal: RecordRefusal;
}

const noTokenService = refuse({ code: 'permission-denied', reason: 'no-token-service' } as const);

export function createSigningKeyHandlers(
  parts: SigningKeyHandlerParts,
): Pick<RegistryHandlers, 'signingKeys' | 'revokeSigningKey'> {
  const { authorize, recordRefusal } = parts;
  return {
    async signingKeys({ credential }) {
      const by = await authorize(credential, 'list', 'signing keys');
      if (!by.ok) return by;
      const desk = parts.desk();
      if (desk === undefined) return noTokenService;
      const { issuer, keys } = desk;
      const { issued, refused } = desk.counts();
      const { connected, current } = desk.agents();
      return ok({
        issuer,
        version: keys.published().version,
        keys: listed(keys),
        agentsConnected: connected,
        agentsCurrent: current,
        tokensIssued: issued,
        tokensRefused: Object.values(refused).reduce((sum, count) => sum + count, 0),
      });
    },
    async revokeSigningKey({ credential, kid }) {
      const subject = `SigningKey/${kid.slice(0, 64)}`;
      const by = await authorize(credential, 'revoke-key', subject);
      if (!by.ok) return by;
      const desk = parts.desk();
      if (desk === undefined) return noTokenService;
      const revoked = await desk.keys.revoke(kid, by.value);
      if (!revoked.ok) await recordRefusal({ action: 'revoke-key', subject, reason: revoked.reason, by: by.value });
      const problem = revoked.ok ? '' : 'no key has this ID: `eastwest sts keys` lists them';
      return ok({ problem, version: desk.keys.published().version, signs: desk.keys.current()?.kid ?? '' });
    },
  };
}

function listed(keys: SigningKeys) {
  const ring = keys.ring();
  const places = placesOf(ring);
  return publishedKeys(ring).map(({ kid, publishedAtMs, signsFromMs = 0, retiredAtMs = 0 }) => ({
    kid,
    state: places.get(kid) ?? '',
    publishedAtMs: Math.round(publishedAtMs),
    signsFromMs: Math.round(signsFromMs),
    retiredAtMs: Math.round(retiredAtMs),
  }));
}
