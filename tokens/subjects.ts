import { isTrustDomain, parseSpiffeId, trustDomainOf, type SpiffeId } from '#certs/spiffe-id.ts';

/** Which subjects an issuer may speak of (A14). What it says of others is a lie, however well it is signed. */
export type SubjectRules =
  | {
      /** Workloads of these trust domains, by SPIFFE ID. */
      readonly trustDomains: readonly string[];
      /** Names that are no URI: users and clients of the issuer's own, unique together with `iss` only. */
      readonly ownNames: 'accept' | 'refuse';
    }
  /** A workload that signs for itself speaks of itself alone (S55). */
  | { readonly only: string };

/** Whether an issuer may use this name as `sub`, `client_id` or in `act`. */
export function maySpeakOf(name: string, rules: SubjectRules): boolean {
  if ('only' in rules) return name === rules.only;
  if (!looksLikeWorkload(name)) return rules.ownNames === 'accept';
  const id = parseSpiffeId(name);
  return id.ok && rules.trustDomains.includes(trustDomainOf(id.value));
}

/** Anything that somebody could read as a workload's URI, in any spelling. */
function looksLikeWorkload(name: string): boolean {
  const lower = name.toLowerCase();
  return lower.includes('://') || lower.startsWith('spiffe:') || lower.startsWith('wimse:');
}

/** A name such as `spiffe://prod.example/ns/shop/sa/cart` or `wimse://prod.example/cart`. */
export interface WorkloadDomain {
  readonly scheme: 'spiffe' | 'wimse';
  readonly trustDomain: string;
}

/**
 * The SPIFFE ID if it belongs to the domain, else undefined. WIMSE identifiers are read by the same grammar, which is stricter
 * than theirs, and scheme and domain must both be the expected ones (A14).
 */
export function workloadOf(name: string, domain: WorkloadDomain): string | undefined {
  const prefix = `${domain.scheme}://`;
  if (!isTrustDomain(domain.trustDomain) || !name.startsWith(prefix)) return undefined;
  const id = parseSpiffeId(`spiffe://${name.slice(prefix.length)}`);
  return id.ok && trustDomainOf(id.value) === domain.trustDomain ? name : undefined;
}

/** The same for SPIFFE alone. */
export function spiffeIdOf(name: string, trustDomain: string): SpiffeId | undefined {
  const id = parseSpiffeId(name);
  return id.ok && trustDomainOf(id.value) === trustDomain ? id.value : undefined;
}
