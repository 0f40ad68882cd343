import { sha256Base64url } from '#tokens/base64url.ts';
import { defaultAssertionLifetimeSeconds, type ClientAssertionRules } from '#tokens/client-assertion.ts';
import { defaultProofAgeSeconds, type DpopRules } from '#tokens/dpop.ts';
import type { JwtSvidRules } from '#tokens/jwt-svid.ts';
import { defaultLifetimeSeconds } from '#tokens/times.ts';
import type { TxnTokenRules } from '#tokens/txn-token.ts';
import { defaultWitLifetimeSeconds, verifyWit, type VerifiedWit, type WitRules } from '#tokens/wit.ts';
import { defaultProofLifetimeSeconds, type WptRules } from '#tokens/wpt.ts';
import { audience, cart, forge, keySet, must, newKey, now, nowMs, prices, stsKey, sts } from './tokens.ts';

/** A good token of each kind, what its verifier is told, and a way to change one member. All issued by one key, the worst case. */

const times = { nowMs, skewSeconds: 30, maxLifetimeSeconds: defaultLifetimeSeconds };
const keys = keySet([stsKey]);

export const workloadKey = newKey();
const { kty, crv, x, y } = workloadKey.publicJwk;
export const workloadJwk = { kty, crv, x, y };

export interface Changes {
  readonly header?: object;
  readonly claims?: object;
}

function maker(header: object, claims: object, key = stsKey) {
  return (changes: Changes = {}): string =>
    forge({ header: { ...header, ...changes.header }, claims: { ...claims, ...changes.claims } }, key.privateKey);
}

export const jwtSvid = maker(
  { alg: 'ES256', typ: 'JWT', kid: stsKey.kid },
  { sub: cart, aud: [prices], exp: now + 300, iat: now },
);
export const jwtSvidRules: JwtSvidRules = { ...times, trustDomain: 'shop.example', keys, audience: prices };

export const wit = maker(
  { alg: 'ES256', typ: 'wit+jwt', kid: stsKey.kid },
  { sub: cart, exp: now + 3_600, iat: now, jti: 'w1', cnf: { jwk: { ...workloadJwk, alg: 'ES256' } } },
);
export const witRules: WitRules = {
  ...times,
  maxLifetimeSeconds: defaultWitLifetimeSeconds,
  domain: { scheme: 'spiffe', trustDomain: 'shop.example' },
  keys,
};

export const witText = wit();
export const target = 'https://prices.shop.example/prices/1';

export function verifiedWit(): VerifiedWit {
  return must(verifyWit(witText, witRules));
}

export const wpt = maker(
  { alg: 'ES256', typ: 'wpt+jwt' },
  { aud: target, exp: now + 60, jti: 'p1', wth: sha256Base64url(witText) },
  workloadKey,
);
export function wptRules(changes: Partial<WptRules> = {}): WptRules {
  return {
    ...times,
    maxLifetimeSeconds: defaultProofLifetimeSeconds,
    wit: verifiedWit(),
    audience: audience(target),
    accessToken: undefined,
    txnToken: undefined,
    otherTokens: new Map(),
    ...changes,
  };
}

export const dpop = maker(
  { alg: 'ES256', typ: 'dpop+jwt', jwk: workloadJwk },
  { jti: 'd1', htm: 'POST', htu: target, iat: now },
  workloadKey,
);
export const dpopRules: DpopRules = {
  nowMs,
  skewSeconds: 30,
  method: 'POST',
  uri: target,
  accessToken: undefined,
  nonce: undefined,
  maxAgeSeconds: defaultProofAgeSeconds,
};

export const assertion = maker(
  { alg: 'ES256', typ: 'JWT', kid: stsKey.kid },
  { iss: cart, sub: cart, aud: sts, exp: now + 60, iat: now, jti: 'a1' },
);
export const assertionRules: ClientAssertionRules = {
  ...times,
  maxLifetimeSeconds: defaultAssertionLifetimeSeconds,
  clientId: cart,
  keys,
  issuer: audience(sts),
};

export const txnToken = maker(
  { alg: 'ES256', typ: 'txntoken+jwt', kid: stsKey.kid },
  {
    iat: now,
    exp: now + 60,
    aud: 'shop.example',
    txn: 't1',
    sub: 'user-1',
    scope: 'orders.create',
    req_wl: cart,
    tctx: { order: 7 },
    rctx: { ip: '192.0.2.1' },
  },
);
export const txnRules: TxnTokenRules = {
  ...times,
  trustDomain: audience('shop.example'),
  keys,
  subjects: { trustDomains: ['shop.example'], ownNames: 'accept' },
};

/** Not read by any verifier here (OpenID Connect Core, section 2). */
export const idToken = maker(
  { alg: 'ES256', typ: 'JWT', kid: stsKey.kid },
  { iss: sts, sub: 'user-1', aud: 'app-1', exp: now + 300, iat: now, nonce: 'n', auth_time: now },
);
