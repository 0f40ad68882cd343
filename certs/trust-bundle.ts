import { ok, refuse, type Result } from '#runtime/result.ts';
import { readCertificate, type Certificate } from './certificate.ts';
import { certificatesToPem, parseCertificatesPem, type PemProblem } from './pem.ts';
import { issuerProblem } from './issuer-rules.ts';
import { isSignedBy } from './public-key.ts';
import { isTrustDomain } from './spiffe-id.ts';

/** The roots that vouch for a trust domain. Frozen; only `createTrustBundle` makes one. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** Grows with each change of the roots. */
  readonly version: number;
  /** DER, each once. */
  readonly roots: readonly Buffer[];
}

export type BundleProblem =
  | PemProblem
  | 'bad-trust-domain'
  | 'bad-version'
  | 'no-roots'
  | 'too-many-roots'
  | 'root-is-not-ca'
  | 'weak-root-key'
  | 'bad-root-signature';

export const maxRoots = 32;

const readRoots = new WeakMap<TrustBundle, readonly Certificate[]>();

/** Checks the roots' form, not their validity: an expired root beside a good one is how authorities are replaced. */
export function createTrustBundle(facts: {
  readonly trustDomain: string;
  readonly version: number;
  readonly roots: readonly Uint8Array[];
}): Result<TrustBundle, BundleProblem> {
  const { trustDomain, version } = facts;
  if (!isTrustDomain(trustDomain)) return refuse('bad-trust-domain');
  if (!Number.isSafeInteger(version) || version < 0) return refuse('bad-version');
  if (facts.roots.length === 0) return refuse('no-roots');
  if (facts.roots.length > maxRoots) return refuse('too-many-roots');
  const certificates = new Map<string, Certificate>();
  for (const bytes of facts.roots) {
    const root = readRoot(Buffer.from(bytes));
    if (!root.ok) return root;
    certificates.set(root.value.der.toString('latin1'), root.value);
  }
  const roots = Object.freeze([...certificates.values()].map((certificate) => certificate.der));
  const bundle: TrustBundle = Object.freeze({ trustDomain, version, roots });
  readRoots.set(bundle, [...certificates.values()]);
  return ok(bundle);
}

/** The roots as certificates, read once per bundle. Throws on a bundle that `createTrustBundle` did not make. */
export function rootsOf(bundle: TrustBundle): readonly Certificate[] {
  const roots = readRoots.get(bundle);
  if (!roots) throw new TypeError('a trust bundle comes from createTrustBundle');
  return roots;
}

export function parseTrustBundlePem(
  pem: string,
  facts: { readonly trustDomain: string; readonly version: number },
): Result<TrustBundle, BundleProblem> {
  const roots = parseCertificatesPem(pem);
  return roots.ok ? createTrustBundle({ ...facts, roots: roots.value }) : roots;
}

export function trustBundleToPem(bundle: TrustBundle): string {
  return certificatesToPem(bundle.roots);
}

/** Same trust domain, same roots in any order; versions may differ. */
export function sameRoots(a: TrustBundle, b: TrustBundle): boolean {
  if (a.trustDomain !== b.trustDomain || a.roots.length !== b.roots.length) return false;
  return a.roots.every((root) => b.roots.some((other) => root.equals(other)));
}

function readRoot(der: Buffer): Result<Certificate, BundleProblem> {
  const root = readCertificate(der);
  if (!root.ok) return root;
  const problem = issuerProblem(root.value);
  if (problem !== undefined) return refuse(problem === 'weak-key' ? 'weak-root-key' : 'root-is-not-ca');
  const selfIssued = root.value.issuerDer.equals(root.value.subjectDer);
  if (selfIssued && !isSignedBy(root.value, root.value)) return refuse('bad-root-signature');
  return root;
}
