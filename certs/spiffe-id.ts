import { ok, refuse, type Result } from '#runtime/result.ts';

/** A well-formed SPIFFE ID. Only `parseSpiffeId` makes one. */
export type SpiffeId = string & { readonly __brand: 'SpiffeId' };

export type SpiffeIdProblem = 'wrong-scheme' | 'too-long' | 'bad-trust-domain' | 'bad-path';

const trustDomainForm = /^[a-z0-9._-]{1,255}$/;
const segmentForm = /^[a-zA-Z0-9._-]+$/;

/**
 * Parses a SPIFFE ID such as `spiffe://prod.example/ns/shop/sa/cart`, at most 2048 bytes (SPIFFE-ID, section 2).
 * Refuses what it would have to repair: no trimming, case folding or percent-decoding. The path may not be empty:
 * an ID without one names a trust domain, not a workload.
 */
export function parseSpiffeId(text: string): Result<SpiffeId, SpiffeIdProblem> {
  if (!text.startsWith('spiffe://')) return refuse('wrong-scheme');
  if (Buffer.byteLength(text) > 2048) return refuse('too-long');
  const [domain = '', ...path] = text.slice('spiffe://'.length).split('/');
  if (!isTrustDomain(domain)) return refuse('bad-trust-domain');
  if (path.length === 0 || path.some((s) => !segmentForm.test(s) || s === '.' || s === '..')) return refuse('bad-path');
  return ok(text as SpiffeId); // the only cast to SpiffeId in the product
}

/** Lower-case letters, digits, `.`, `-`, `_`; 1 to 255 bytes (SPIFFE-ID, section 2.1). */
export function isTrustDomain(text: string): boolean {
  return trustDomainForm.test(text);
}

/** `prod.example` of `spiffe://prod.example/ns/shop/sa/cart`. */
export function trustDomainOf(id: SpiffeId): string {
  return id.slice('spiffe://'.length, id.indexOf('/', 'spiffe://'.length));
}

/**
 * `spiffe://<trust-domain>/ns/<namespace>/sa/<service-account>`, the form Istio uses too. Each name is one segment: a `/` in one
 * is a `bad-path`, or `a/sa/b` could pass for another workload's name.
 */
export function workloadSpiffeId(
  trustDomain: string,
  namespace: string,
  serviceAccount: string,
): Result<SpiffeId, SpiffeIdProblem> {
  if (!isTrustDomain(trustDomain)) return refuse('bad-trust-domain');
  if (!segmentForm.test(namespace) || !segmentForm.test(serviceAccount)) return refuse('bad-path');
  return parseSpiffeId(`spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`);
}
