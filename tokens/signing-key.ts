import type { KeyObject } from 'node:crypto';
import type { KeyPair } from '#certs/keys.ts';
import { sha256Base64url } from './base64url.ts';

/** What we sign with: ES256 (RFC 7518, section 3.4). */
export interface SigningKey {
  /** The key's own thumbprint (RFC 7638), so that no two keys share one. */
  readonly kid: string;
  readonly privateKey: KeyObject;
  /** As published. */
  readonly publicJwk: PublicJwk;
}

export interface PublicJwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly alg: 'ES256';
  readonly use: KeyUse;
}

/** `sig` for access tokens; SPIFFE's bundles say which kind of SVID a key signs. */
export type KeyUse = 'sig' | 'jwt-svid' | 'wit-svid';

/** Throws `TypeError` for anything but P-256. */
export function toSigningKey({ publicKey, privateKey }: KeyPair, use: KeyUse = 'sig'): SigningKey {
  const { crv, x, y } = publicKey.export({ format: 'jwk' });
  if (crv !== 'P-256' || x === undefined || y === undefined) throw new TypeError('a signing key is P-256');
  const kid = sha256Base64url(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`);
  const publicJwk = { kty: 'EC', crv, x, y, kid, alg: 'ES256', use } as const;
  return Object.freeze({ kid, privateKey, publicJwk });
}

/** A JWK Set (RFC 7517, section 5). */
export function writeKeySet(keys: readonly PublicJwk[]): string {
  return JSON.stringify({ keys });
}
