import { constants, sign, verify, type KeyObject } from 'node:crypto';
import type { KeyKind } from '#certs/key-kind.ts';

/** How a key of one kind signs in TLS 1.3 (RFC 8446, section 4.2.3). */
export interface SignatureScheme {
  readonly code: number;
  readonly kind: KeyKind;
  readonly hash: 'sha256' | 'sha384';
}

/** One per kind of key that an SVID may hold: a scheme that does not go with the certificate's key is no proof. */
export const signatureSchemes: readonly SignatureScheme[] = [
  { code: 0x0403, kind: 'p256', hash: 'sha256' }, // ecdsa_secp256r1_sha256
  { code: 0x0503, kind: 'p384', hash: 'sha384' }, // ecdsa_secp384r1_sha384
  { code: 0x0804, kind: 'rsa', hash: 'sha256' }, // rsa_pss_rsae_sha256
];

export function schemeFor(kind: KeyKind): SignatureScheme | undefined {
  return signatureSchemes.find((scheme) => scheme.kind === kind);
}

export function signWith(scheme: SignatureScheme, key: KeyObject, bytes: Buffer): Buffer {
  return sign(scheme.hash, bytes, { key, ...padding(scheme) });
}

export function isSignedWith(
  scheme: SignatureScheme,
  key: KeyObject,
  signed: { readonly bytes: Buffer; readonly signature: Buffer },
): boolean {
  return verify(scheme.hash, signed.bytes, { key, ...padding(scheme) }, signed.signature);
}

/** RSASSA-PSS with a salt as long as the digest; ECDSA signatures are DER, as Node makes them. */
function padding({ kind }: SignatureScheme): { padding?: number; saltLength?: number } {
  if (kind !== 'rsa') return {};
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}
