import { constants, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { parseAudience, type Audience } from '#tokens/claims.ts';
import { issuerAlgorithms, type SignatureAlgorithm } from '#tokens/algorithms.ts';
import { readKeySet, type KeySet } from '#tokens/jwks.ts';
import type { JwkRules } from '#tokens/jwk.ts';
import { toSigningKey, writeKeySet, type KeyUse, type SigningKey } from '#tokens/signing-key.ts';
import type { TrustedIssuer } from '#tokens/trusted-issuer.ts';
import type { AccessTokenRules } from '#tokens/access-token.ts';
import { defaultLifetimeSeconds } from '#tokens/times.ts';
import type { Result } from '#runtime/result.ts';

/** All tokens of these tests are judged at this time. */
export const nowMs = 1_800_000_000_000;
export const now = nowMs / 1000;

export const cart = 'spiffe://shop.example/ns/default/sa/cart';
export const prices = audience('spiffe://shop.example/ns/default/sa/prices');
export const sts = 'https://sts.shop.example';
export const thumbprint = 'ab'.repeat(32);
export const x5t = Buffer.from(thumbprint, 'hex').toString('base64url');

export const stsKey = newKey();

export function newKey(use: KeyUse = 'sig'): SigningKey {
  return toSigningKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }), use);
}

export function audience(text: string): Audience {
  return must(parseAudience(text));
}

export function must<T>(result: Result<T, unknown>): T {
  if (result.ok) return result.value;
  throw new Error(`refused: ${JSON.stringify(result.reason)}`);
}

export function keySet(keys: readonly SigningKey[], rules: Partial<JwkRules> = {}): KeySet {
  const document = Buffer.from(writeKeySet(keys.map(({ publicJwk }) => publicJwk)));
  return must(readKeySet(document, { algorithms: ['ES256'], use: 'sig', ...rules }));
}

export function keySetOf(document: object, rules: Partial<JwkRules> = {}) {
  return readKeySet(Buffer.from(JSON.stringify(document)), { algorithms: issuerAlgorithms, use: 'sig', ...rules });
}

export function issuer(changes: Partial<TrustedIssuer> = {}): TrustedIssuer {
  return {
    issuer: sts,
    keys: keySet([stsKey]),
    typ: 'at+jwt',
    claimMap: {},
    subjects: { trustDomains: ['shop.example'], ownNames: 'refuse' },
    maxLifetimeSeconds: defaultLifetimeSeconds,
    ...changes,
  };
}

export function rules(changes: Partial<AccessTokenRules> = {}, trusted = issuer()): AccessTokenRules {
  return { issuers: new Map([[trusted.issuer, trusted]]), audience: prices, nowMs, skewSeconds: 30, ...changes };
}

export const accessClaims = {
  iss: sts,
  sub: cart,
  aud: prices,
  client_id: cart,
  iat: now,
  nbf: now,
  exp: now + 300,
  jti: 'b4c1f0d2a7e94b6d',
  scope: 'prices.read prices.list',
  cnf: { 'x5t#S256': x5t },
};

export const accessHeader = { alg: 'ES256', typ: 'at+jwt', kid: stsKey.kid };

/** Objects are written as JSON; texts and bytes are taken as they are. A claim that is `undefined` is left out. */
export type Part = object | string | Buffer;

/** A compact JWS, however wrong: what its header says need not be what was done. */
export function forge(
  parts: { readonly header?: Part; readonly claims?: Part } = {},
  key: KeyObject = stsKey.privateKey,
  algorithm: SignatureAlgorithm = 'ES256',
): string {
  const input = `${encode(parts.header ?? accessHeader)}.${encode(parts.claims ?? accessClaims)}`;
  return `${input}.${signature(Buffer.from(input), key, algorithm).toString('base64url')}`;
}

/** A good access token but for these members. */
export function accessToken(changes: { readonly header?: object; readonly claims?: object } = {}): string {
  return forge({
    header: { ...accessHeader, ...changes.header },
    claims: { ...accessClaims, ...changes.claims },
  });
}

export function encode(part: Part): string {
  if (Buffer.isBuffer(part)) return part.toString('base64url');
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

function signature(data: Buffer, key: KeyObject, algorithm: SignatureAlgorithm): Buffer {
  if (algorithm === 'EdDSA') return sign(undefined, data, key);
  const hash = `sha${algorithm.slice(2)}`;
  if (algorithm.startsWith('ES')) return sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
  if (algorithm.startsWith('RS')) return sign(hash, data, key);
  return sign(hash, data, {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
}

const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const;
const made = new Map<string, { readonly privateKey: KeyObject; readonly jwk: object }>();

/** One pair for each type of key and run: RSA keys take long to make. */
export function pairFor(algorithm: SignatureAlgorithm): { readonly privateKey: KeyObject; readonly jwk: object } {
  const type = algorithm.startsWith('RS') || algorithm.startsWith('PS') ? 'RSA' : algorithm;
  const known = made.get(type);
  if (known) return known;
  const { publicKey, privateKey } = generate(algorithm);
  const pair = { privateKey, jwk: publicKey.export({ format: 'jwk' }) };
  made.set(type, pair);
  return pair;
}

function generate(algorithm: SignatureAlgorithm) {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519');
  if (algorithm === 'ES256' || algorithm === 'ES384' || algorithm === 'ES512')
    return generateKeyPairSync('ec', { namedCurve: curves[algorithm] });
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

/** `accepted`, or the reason. */
export function verdict(result: Result<unknown, string>): string {
  return result.ok ? 'accepted' : result.reason;
}
