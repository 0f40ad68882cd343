import type { X509Svid } from '#certs/svid.ts';
import { sameRoots, type TrustBundle } from '#certs/trust-bundle.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

export type BundleRefusal =
  | 'other-trust-domain'
  | 'no-roots'
  | 'version-went-backwards'
  | 'same-version-other-roots'
  | 'own-svid-unverifiable';

/**
 * Whether a bundle from the control plane may replace ours: it is newer, and our own SVID still stands in it. A bundle
 * that would cut us off from our peers is refused, whoever sent it. The version we have already is accepted as it is.
 */
export function acceptBundle(
  ours: TrustBundle,
  offered: TrustBundle,
  proof: { readonly svid: X509Svid | undefined; readonly nowMs: number },
): Result<TrustBundle, BundleRefusal> {
  if (offered.trustDomain !== ours.trustDomain) return refuse('other-trust-domain');
  if (offered.roots.length === 0) return refuse('no-roots');
  if (offered.version < ours.version) return refuse('version-went-backwards');
  if (offered.version === ours.version) return sameRoots(ours, offered) ? ok(ours) : refuse('same-version-other-roots');
  if (proof.svid !== undefined && !stands(proof.svid, offered, proof.nowMs)) return refuse('own-svid-unverifiable');
  return ok(offered);
}

/** Judged within its own life: an expired SVID must not keep a new root out. */
function stands({ chainDer, notBeforeMs, notAfterMs }: X509Svid, bundle: TrustBundle, nowMs: number): boolean {
  return verifySvid(chainDer, { bundle, nowMs: Math.min(Math.max(nowMs, notBeforeMs), notAfterMs - 1) }).ok;
}
