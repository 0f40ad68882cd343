import type { KeyObject } from 'node:crypto';
import type { Identity, IdentitySnapshot } from '#agent/identity/store.ts';
import { createTrustBundle } from '#certs/trust-bundle.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { Fault } from '#runtime/fault.ts';

/**
 * An identity as it goes from thread to thread. The key stays in this process: a key object is handed on as it is, and
 * is written nowhere.
 */
export interface IdentityMessage {
  readonly generation: number;
  readonly privateKey: KeyObject;
  readonly issuedAtMs: number;
  /** A moment at which it stands; it may have expired since. */
  readonly standsAtMs: number;
  /** Leaf first. */
  readonly chainDer: readonly Uint8Array[];
  readonly bundle: { readonly trustDomain: string; readonly version: number; readonly roots: readonly Uint8Array[] };
}

export function toIdentityMessage(snapshot: IdentitySnapshot, nowMs: number): IdentityMessage {
  const { generation, privateKey, issuedAtMs, svid, bundle } = snapshot;
  const { trustDomain, version, roots } = bundle;
  return {
    ...{ generation, privateKey, issuedAtMs },
    standsAtMs: Math.min(Math.max(nowMs, svid.notBeforeMs), svid.notAfterMs - 1),
    chainDer: svid.chainDer,
    bundle: { trustDomain, version, roots },
  };
}

/**
 * Reads it again: what an SVID or a bundle is was proved by its making, and no proof survives being copied. Throws a
 * `Fault` on one that does not stand; our own thread sent it, so that is no refusal.
 */
export function fromIdentityMessage(message: IdentityMessage): Identity {
  const { privateKey, issuedAtMs, standsAtMs, chainDer, bundle } = message;
  const roots = createTrustBundle(bundle);
  if (!roots.ok) throw unusable(roots.reason);
  const svid = verifySvid(chainDer, { bundle: roots.value, nowMs: standsAtMs });
  if (!svid.ok) throw unusable(svid.reason);
  return { svid: svid.value, privateKey, bundle: roots.value, issuedAtMs };
}

function unusable(reason: string): Fault {
  return new Fault('IDENTITY_NOT_HANDED_ON', `a worker cannot use the agent's identity: ${reason}`);
}
