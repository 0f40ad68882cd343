import { hash } from 'node:crypto';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { readCertificate, type Certificate } from './certificate.ts';
import { issuerProblem, type IssuerProblem } from './issuer-rules.ts';
import { admitsNames } from './name-constraints.ts';
import { isSignedBy } from './public-key.ts';
import { rootsOf, type TrustBundle } from './trust-bundle.ts';

export type PathProblem =
  | IssuerProblem
  | 'malformed'
  | 'unknown-authority'
  | 'bad-signature'
  | 'issuer-outside-validity'
  | 'path-too-long'
  | 'name-constraint';

interface Check {
  readonly bundle: TrustBundle;
  readonly nowMs: number;
}

/**
 * Goes from `leaf` over `issuersDer`, in the order given, to a root. Returns the intermediates on the way, without the root.
 * Signatures are checked from the root downwards, so that a stranger's key is never computed with.
 */
export function findPath(
  leaf: Certificate,
  issuersDer: readonly Uint8Array[],
  check: Check,
): Result<readonly Certificate[], PathProblem> {
  const path = [leaf]; // lowest first
  for (let reason = rootProblem(path, check); reason !== undefined; reason = rootProblem(path, check)) {
    const issuerDer = issuersDer[path.length - 1];
    if (!issuerDer) return refuse(reason);
    const issuer = readIntermediate(issuerDer, check.bundle);
    if (!issuer.ok) return issuer;
    const problem = stepProblem(issuer.value, path, check.nowMs);
    if (problem !== undefined) return refuse(problem);
    path.push(issuer.value);
  }
  const intermediates = path.slice(1);
  if (!isSignedDownwards(path)) return refuse('bad-signature');
  for (const certificate of intermediates) remember(certificate, check.bundle);
  return ok(intermediates);
}

/** `undefined` when a root issued the last certificate of `path`, otherwise why none did. */
function rootProblem(path: readonly Certificate[], { bundle, nowMs }: Check): PathProblem | undefined {
  const highest = path.at(-1);
  let reason: PathProblem = 'unknown-authority';
  for (const root of rootsOf(bundle)) {
    const problem = stepProblem(root, path, nowMs);
    if (problem === undefined && highest && isSignedBy(highest, root)) return undefined;
    if (problem !== 'unknown-authority') reason = problem ?? 'bad-signature';
  }
  return reason;
}

function isSignedDownwards(path: readonly Certificate[]): boolean {
  return path.reduceRight((above, certificate, at) => {
    const issuer = path[at + 1];
    return above && (!issuer || isSignedBy(certificate, issuer));
  }, true);
}

/** Whether `issuer` may stand above `path`, all but its signature (RFC 5280, sections 6.1.3 and 6.1.4). */
function stepProblem(issuer: Certificate, path: readonly Certificate[], nowMs: number): PathProblem | undefined {
  const [leaf, ...intermediates] = path;
  if (!isNamedIssuer(issuer, path.at(-1))) return 'unknown-authority';
  if (nowMs < issuer.notBeforeMs || nowMs >= issuer.notAfterMs) return 'issuer-outside-validity';
  const problem = issuerProblem(issuer);
  if (problem !== undefined) return problem;
  const counted = intermediates.filter((certificate) => !isSelfIssued(certificate));
  if (counted.length > (issuer.extensions.basicConstraints?.pathLength ?? Infinity)) return 'path-too-long';
  const admitted = [leaf, ...counted].every((certificate) => certificate && admitsNames(issuer, certificate));
  return admitted ? undefined : 'name-constraint';
}

/** Names are compared byte by byte; key identifiers, where both have one, tell two authorities of the same name apart. */
function isNamedIssuer(issuer: Certificate, issued: Certificate | undefined): boolean {
  if (!issued || !issuer.subjectDer.equals(issued.issuerDer)) return false;
  const { subjectKeyId } = issuer.extensions;
  const { authorityKeyId } = issued.extensions;
  return !subjectKeyId || !authorityKeyId || subjectKeyId.equals(authorityKeyId);
}

function isSelfIssued(certificate: Certificate): boolean {
  return certificate.issuerDer.equals(certificate.subjectDer);
}

/** Intermediates that led to a root of the bundle before, by the SHA-256 of their DER: they come with every handshake. */
const known = new WeakMap<TrustBundle, Map<string, Certificate>>();
const maxKnown = 64;

function readIntermediate(bytes: Uint8Array, bundle: TrustBundle): Result<Certificate, 'malformed'> {
  const certificate = known.get(bundle)?.get(hash('sha256', bytes, 'base64'));
  return certificate ? ok(certificate) : readCertificate(Buffer.from(bytes));
}

function remember(certificate: Certificate, bundle: TrustBundle): void {
  const certificates = known.get(bundle) ?? new Map<string, Certificate>();
  if (certificates.size >= maxKnown) certificates.clear();
  certificates.set(hash('sha256', certificate.der, 'base64'), certificate);
  known.set(bundle, certificates);
}
