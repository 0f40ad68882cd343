import { sha256Base64url } from './base64url.ts';
import type { Audience } from './claims.ts';
import { signCompactJws } from './sign.ts';
import type { SigningKey } from './signing-key.ts';

/** A proof of the moment. `tokenId` is new for each: 128 random bits. */
export interface Proving {
  /** The workload's own key. */
  readonly key: SigningKey;
  readonly tokenId: string;
  readonly nowMs: number;
}

export interface WptContent {
  readonly audience: Audience;
  readonly lifetimeSeconds: number;
  /** The token that the proof is for, as sent. */
  readonly wit: string;
  readonly accessToken?: string | undefined;
  readonly txnToken?: string | undefined;
  /** Header name, lower case → value. */
  readonly otherTokens?: ReadonlyMap<string, string>;
}

/** Signs a Workload Proof Token (WIMSE) for one request and the tokens in it. */
export function mintWpt(content: WptContent, { key, tokenId, nowMs }: Proving): Promise<string> {
  const others = [...(content.otherTokens ?? [])].map(([name, value]) => [name, sha256Base64url(value)]);
  const claims = {
    aud: content.audience,
    exp: Math.floor(nowMs / 1000) + content.lifetimeSeconds,
    jti: tokenId,
    wth: sha256Base64url(content.wit),
    ath: hashOf(content.accessToken),
    tth: hashOf(content.txnToken),
    oth: others.length === 0 ? undefined : Object.fromEntries(others),
  };
  return signCompactJws({ typ: 'wpt+jwt' }, bytesOf(claims), key.privateKey);
}

export interface DpopContent {
  readonly method: string;
  /** Of the request; query and fragment are left out of the proof. */
  readonly uri: string;
  readonly accessToken?: string | undefined;
  readonly nonce?: string | undefined;
}

/** Signs a DPoP proof (RFC 9449, section 4.2). */
export function mintDpopProof(content: DpopContent, { key, tokenId, nowMs }: Proving): Promise<string> {
  const { kty, crv, x, y } = key.publicJwk;
  const url = new URL(content.uri);
  const claims = {
    jti: tokenId,
    htm: content.method,
    htu: `${url.origin}${url.pathname}`,
    iat: Math.floor(nowMs / 1000),
    ath: hashOf(content.accessToken),
    nonce: content.nonce,
  };
  return signCompactJws({ typ: 'dpop+jwt', jwk: { kty, crv, x, y } }, bytesOf(claims), key.privateKey);
}

export interface AssertionContent {
  readonly clientId: string;
  /** The authorization server's issuer identifier. */
  readonly issuer: Audience;
  readonly lifetimeSeconds: number;
}

/** Signs a client assertion (RFC 7523, section 2.2) for one authentication. */
export function mintClientAssertion(content: AssertionContent, { key, tokenId, nowMs }: Proving): Promise<string> {
  const iat = Math.floor(nowMs / 1000);
  const claims = {
    iss: content.clientId,
    sub: content.clientId,
    aud: content.issuer,
    iat,
    exp: iat + content.lifetimeSeconds,
    jti: tokenId,
  };
  return signCompactJws({ typ: 'client-authentication+jwt', kid: key.kid }, bytesOf(claims), key.privateKey);
}

function hashOf(token: string | undefined): string | undefined {
  return token === undefined ? undefined : sha256Base64url(token);
}

function bytesOf(claims: object): Buffer {
  return Buffer.from(JSON.stringify(claims));
}
