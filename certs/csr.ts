import { sign } from 'node:crypto';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { contentOf, MalformedDer, readSequence, tags, wholeBytes } from './der.ts';
import { algorithmOid } from './key-kind.ts';
import { exportSpki, keyThumbprint, type KeyPair } from './keys.ts';
import { importSpki, isSignature } from './public-key.ts';
import { attachSignature, buildRequestInfo } from './x509.ts';

export const maxCsrBytes = 16_384;

export type CsrProblem = 'too-large' | 'malformed' | 'weak-key' | 'bad-signature';

/** A key whose holder asked for a certificate. What else the request held is not read: names come from attestation. */
export interface Csr {
  readonly spkiDer: Buffer;
  readonly keyThumbprint: string;
}

/** A PKCS#10 request for `keyPair`'s key: proof that we hold it, and nothing more. DER. */
export function buildCsr(keyPair: KeyPair): Buffer {
  const info = buildRequestInfo(exportSpki(keyPair.publicKey));
  return attachSignature(info, sign('sha256', info, keyPair.privateKey));
}

/**
 * Reads a PKCS#10 request (RFC 2986): an ECDSA P-256 key, its point not compressed, and a signature made with it. Any other key
 * is `weak-key`. Names and attributes are not looked into.
 */
export function readCsr(der: Uint8Array): Result<Csr, CsrProblem> {
  if (der.length > maxCsrBytes) return refuse('too-large');
  try {
    return read(Buffer.from(der)); // a copy: what the caller does to its bytes later must not change an approved key
  } catch (cause) {
    if (cause instanceof MalformedDer) return refuse('malformed');
    throw cause;
  }
}

function read(der: Buffer): Result<Csr, CsrProblem> {
  const [info, algorithm, signature, ...surplus] = readSequence(der);
  if (!info || !algorithm || surplus.length > 0) throw new MalformedDer();
  const [version, subject, spki, attributes, ...more] = readSequence(info.whole);
  if (!contentOf(version, tags.integer).equals(versionOne) || !spki || more.length > 0) throw new MalformedDer();
  contentOf(subject, tags.sequence);
  if (attributes) contentOf(attributes, 0xa0);
  const spkiDer = spki.whole;
  if (spkiDer.length !== p256Prefix.length + 64 || !spkiDer.subarray(0, p256Prefix.length).equals(p256Prefix))
    return refuse('weak-key');
  const key = importSpki(spkiDer);
  if (!key) throw new MalformedDer(); // not a point of the curve
  const signed = {
    bytes: info.whole,
    algorithm: algorithmOid(algorithm.whole),
    signature: wholeBytes(contentOf(signature, tags.bitString)),
  };
  if (!isSignature(signed, { key, kind: 'p256' })) return refuse('bad-signature');
  return ok({ spkiDer, keyThumbprint: keyThumbprint(spkiDer) });
}

/** How the one spelling of a P-256 key that we take begins, up to the point's coordinates: so that equal keys have equal thumbprints. */
const p256Prefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
const versionOne = Buffer.from([0]);
