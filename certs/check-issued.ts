import { ok, refuse, type Result } from '#runtime/result.ts';
import { readCertificate } from './certificate.ts';
import { leafNotAfterMs, notBeforeSlackMs, readIssuer, type SvidOrder } from './issue-svid.ts';
import { issuerProblem, type IssuerProblem } from './issuer-rules.ts';
import { readLeaf, type LeafProblem } from './leaf-rules.ts';
import { admitsNames } from './name-constraints.ts';
import { isSignedBy } from './public-key.ts';
import { toSvid, type X509Svid } from './svid.ts';

export type IssuedProblem =
  | 'malformed'
  | 'other-spiffe-id'
  | 'other-key'
  | 'other-serial'
  | 'too-long-life'
  | 'other-not-before'
  | 'surplus-names'
  | 'other-issuer'
  | 'name-constraint'
  | 'bad-signature'
  | LeafProblem
  | IssuerProblem;

/** Reads a fresh leaf again, with other code than built it, and refuses it unless it is what was ordered, from this issuer. */
export function checkIssued(
  leafDer: Buffer,
  expected: SvidOrder & { readonly issuer: Buffer },
): Result<X509Svid, IssuedProblem> {
  const read = readCertificate(leafDer);
  if (!read.ok) return read;
  const leaf = read.value;
  const spiffeId = readLeaf(leaf);
  if (!spiffeId.ok) return spiffeId;
  if (spiffeId.value !== expected.spiffeId) return refuse('other-spiffe-id');
  if (leaf.extensions.names.length !== 1) return refuse('surplus-names');
  if (!leaf.spkiDer.equals(expected.spkiDer)) return refuse('other-key');
  if (leaf.serialHex !== expected.serial.toString('hex')) return refuse('other-serial');
  const issuer = readIssuer(expected.issuer);
  if (leaf.notAfterMs > leafNotAfterMs(expected, issuer.notAfterMs)) return refuse('too-long-life');
  if (Math.abs(leaf.notBeforeMs - expected.issuedAtMs) > notBeforeSlackMs + 1000) return refuse('other-not-before');
  const problem = issuerProblem(issuer);
  if (problem !== undefined) return refuse(problem);
  if (!leaf.issuerDer.equals(issuer.subjectDer)) return refuse('other-issuer');
  if (!admitsNames(issuer, leaf)) return refuse('name-constraint');
  return isSignedBy(leaf, issuer) ? ok(toSvid(spiffeId.value, leaf, [])) : refuse('bad-signature');
}
