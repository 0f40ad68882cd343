import { ok, refuse, type Result } from '#runtime/result.ts';
import { readCertificate } from './certificate.ts';
import type { IssuerProblem } from './issuer-rules.ts';
import { readLeaf, type LeafProblem } from './leaf-rules.ts';
import { findPath, type PathProblem } from './path.ts';
import { trustDomainOf } from './spiffe-id.ts';
import { toSvid, type X509Svid } from './svid.ts';
import type { TrustBundle } from './trust-bundle.ts';

export type SvidProblem =
  | 'empty-chain'
  | 'too-large'
  | 'malformed'
  | 'expired'
  | 'not-yet-valid'
  | 'other-trust-domain'
  | LeafProblem
  | IssuerProblem
  | PathProblem;

export const maxChainLength = 8;
const maxChainBytes = 65_536;

/**
 * Judges a chain, leaf first, at `nowMs`: the leaf by the rules of X509-SVID, each signature, validity, authority flag, path
 * length and name constraint up to a root of `bundle` (RFC 5280, section 6), and the ID's trust domain by the bundle's.
 * Certificates after the one that a root signed are not looked at, so a chain may end with its root.
 */
export function verifySvid(
  chainDer: readonly Uint8Array[],
  check: { readonly bundle: TrustBundle; readonly nowMs: number },
): Result<X509Svid, SvidProblem> {
  const [leafDer, ...issuersDer] = chainDer;
  if (!leafDer) return refuse('empty-chain');
  const bytes = chainDer.reduce((sum, der) => sum + der.length, 0);
  if (chainDer.length > maxChainLength || bytes > maxChainBytes) return refuse('too-large');
  const leaf = readCertificate(Buffer.from(leafDer)); // a copy: the caller's buffer may be reused
  if (!leaf.ok) return leaf;
  const spiffeId = readLeaf(leaf.value);
  if (!spiffeId.ok) return spiffeId;
  if (trustDomainOf(spiffeId.value) !== check.bundle.trustDomain) return refuse('other-trust-domain');
  if (check.nowMs < leaf.value.notBeforeMs) return refuse('not-yet-valid');
  if (check.nowMs >= leaf.value.notAfterMs) return refuse('expired'); // as OpenSSL counts: the last second is out
  const path = findPath(leaf.value, issuersDer, check);
  return path.ok ? ok(toSvid(spiffeId.value, leaf.value, path.value)) : path;
}
