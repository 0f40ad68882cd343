import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { Certificate } from './certificate.ts';
import type { KeyKind } from './key-kind.ts';
import { oids } from './oids.ts';

const algorithms: Readonly<Record<string, { readonly hash: string; readonly kinds: readonly KeyKind[] }>> = {
  [oids.ecdsaWithSha256]: { hash: 'sha256', kinds: ['p256', 'p384'] },
  [oids.ecdsaWithSha384]: { hash: 'sha384', kinds: ['p256', 'p384'] },
  [oids.ecdsaWithSha512]: { hash: 'sha512', kinds: ['p256', 'p384'] },
  [oids.rsaWithSha256]: { hash: 'sha256', kinds: ['rsa'] },
  [oids.rsaWithSha384]: { hash: 'sha384', kinds: ['rsa'] },
  [oids.rsaWithSha512]: { hash: 'sha512', kinds: ['rsa'] },
};

/** Whether `key` made the signature. An algorithm that does not go with the key's kind, or SHA-1, is no signature. */
export function isSignature(
  signed: { readonly bytes: Buffer; readonly algorithm: string; readonly signature: Buffer },
  signer: { readonly key: KeyObject; readonly kind: KeyKind },
): boolean {
  const algorithm = algorithms[signed.algorithm];
  if (!algorithm?.kinds.includes(signer.kind)) return false;
  return verify(algorithm.hash, signed.bytes, signer.key, signed.signature);
}

const signers = new WeakMap<Certificate, { readonly key: KeyObject; readonly kind: KeyKind }>();
const proven = new WeakMap<Certificate, WeakSet<Certificate>>();

/** Whether `issuer`'s key signed `certificate`. Remembered for as long as both objects live: neither can change. */
export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  if (proven.get(certificate)?.has(issuer)) return true;
  const signer = signerOf(issuer);
  const { tbsDer: bytes, signatureAlgorithm: algorithm, signature } = certificate;
  if (!signer || !isSignature({ bytes, algorithm, signature }, signer)) return false;
  proven.set(certificate, (proven.get(certificate) ?? new WeakSet()).add(issuer));
  return true;
}

function signerOf(certificate: Certificate): { readonly key: KeyObject; readonly kind: KeyKind } | undefined {
  const known = signers.get(certificate);
  if (known) return known;
  const key = importSpki(certificate.spkiDer);
  if (!key) return undefined;
  const signer = { key, kind: certificate.keyKind };
  signers.set(certificate, signer);
  return signer;
}

/** The key, or `undefined` where OpenSSL refuses it (a point off its curve, for one). */
export function importSpki(spkiDer: Buffer): KeyObject | undefined {
  try {
    return createPublicKey({ key: spkiDer, format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}
