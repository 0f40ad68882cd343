import { describe, expect, test } from 'vitest';
import { sha256Base64url } from '#tokens/base64url.ts';
import { verifyClientAssertion } from '#tokens/client-assertion.ts';
import { verifyDpopProof, type DpopRules } from '#tokens/dpop.ts';
import { createSeenIds } from '#tokens/seen-ids.ts';
import {
  assertion,
  assertionRules,
  dpop,
  dpopRules,
  target,
  workloadJwk,
  workloadKey,
  type Changes,
} from '#support/token-kinds.ts';
import { accessToken, cart, forge, newKey, now, nowMs, pairFor, prices, sts, verdict } from '#support/tokens.ts';

describe('A19: a DPoP proof', () => {
  const access = accessToken();
  const privateJwk = { ...workloadKey.privateKey.export({ format: 'jwk' }) };
  const withToken = { accessToken: access };
  const ath = sha256Base64url(access);

  test.each<readonly [string, Changes, string] | readonly [string, Changes, string, Partial<DpopRules>]>([
    ['good', {}, 'accepted'],
    ['typ JWT', { header: { typ: 'JWT' } }, 'wrong-typ'],
    ['alg none', { header: { alg: 'none' } }, 'alg-not-allowed'],
    ['alg HS256', { header: { alg: 'HS256' } }, 'alg-not-allowed'],
    ['alg that is not the key’s', { header: { alg: 'ES384' } }, 'bad-jwk'],
    ['the private key in its header', { header: { jwk: privateJwk } }, 'bad-jwk'],
    ['a symmetric key in its header', { header: { jwk: { kty: 'oct', k: 'AAAA' } } }, 'bad-jwk'],
    ['no key in its header', { header: { jwk: undefined } }, 'malformed'],
    ['another key in its header', { header: { jwk: pairFor('ES256').jwk } }, 'bad-signature'],
    ['no jti', { claims: { jti: undefined } }, 'missing-jti'],
    ['no htm', { claims: { htm: undefined } }, 'missing-htm'],
    ['another method', { claims: { htm: 'GET' } }, 'wrong-htm'],
    ['the method in lower case', { claims: { htm: 'post' } }, 'wrong-htm'],
    ['no htu', { claims: { htu: undefined } }, 'missing-htu'],
    ['another path', { claims: { htu: `${target}/2` } }, 'wrong-htu'],
    ['another host', { claims: { htu: 'https://evil.example/prices/1' } }, 'wrong-htu'],
    ['plain HTTP', { claims: { htu: target.replace('https', 'http') } }, 'wrong-htu'],
    ['another port', { claims: { htu: target.replace('example/', 'example:8443/') } }, 'wrong-htu'],
    ['no URI', { claims: { htu: '/prices/1' } }, 'wrong-htu'],
    ['credentials in htu', { claims: { htu: target.replace('//', '//a:b@') } }, 'wrong-htu'],
    ['a query in htu', { claims: { htu: `${target}?a` } }, 'bad-htu'],
    ['a fragment in htu', { claims: { htu: `${target}#a` } }, 'bad-htu'],
    ['a query in the request', {}, 'accepted', { uri: `${target}?limit=1` }],
    ['host and port spelled otherwise', { claims: { htu: 'HTTPS://Prices.shop.example:443/prices/1' } }, 'accepted'],
    ['no iat', { claims: { iat: undefined } }, 'missing-iat'],
    ['iat a text', { claims: { iat: String(now) } }, 'bad-iat'],
    ['iat in 31 s', { claims: { iat: now + 31 } }, 'issued-in-the-future'],
    ['iat 89 s ago', { claims: { iat: now - 89 } }, 'accepted'],
    ['iat 90 s ago', { claims: { iat: now - 90 } }, 'expired'],
    ['no ath while a token is shown', {}, 'wrong-ath', withToken],
    ['ath of another token', { claims: { ath: sha256Base64url('a') } }, 'wrong-ath', withToken],
    ['ath of this token', { claims: { ath } }, 'accepted', withToken],
    ['ath while no token is shown', { claims: { ath } }, 'wrong-ath'],
    ['no nonce where one was given out', {}, 'wrong-nonce', { nonce: 'n1' }],
    ['an old nonce', { claims: { nonce: 'n0' } }, 'wrong-nonce', { nonce: 'n1' }],
    ['the nonce', { claims: { nonce: 'n1' } }, 'accepted', { nonce: 'n1' }],
  ])('%s', (_, changes, expected, rules = {}) => {
    expect(verdict(verifyDpopProof([dpop(changes)], { ...dpopRules, ...rules }))).toBe(expected);
  });

  test('in two headers, or in none', () => {
    expect(verdict(verifyDpopProof([dpop(), dpop()], dpopRules))).toBe('several-headers');
    expect(verdict(verifyDpopProof([], dpopRules))).toBe('no-header');
  });

  test('tells the thumbprint of its key, with Ed25519 as well', () => {
    const proof = verifyDpopProof([dpop()], dpopRules);
    expect(proof.ok && proof.value.thumbprint).toBe(workloadKey.kid);
    const { privateKey, jwk } = pairFor('EdDSA');
    const header = { alg: 'EdDSA', typ: 'dpop+jwt', jwk };
    const claims = { jti: 'd', htm: 'POST', htu: target, iat: now };
    expect(verdict(verifyDpopProof([forge({ header, claims }, privateKey, 'EdDSA')], dpopRules))).toBe('accepted');
  });

  test('is taken once: its jti is refused for as long as it would be accepted', () => {
    const seen = createSeenIds(10);
    const use = (atMs: number): string => {
      const proof = verifyDpopProof([dpop()], { ...dpopRules, nowMs: atMs });
      if (!proof.ok) return proof.reason;
      return verdict(seen.admit(proof.value.tokenId, { nowMs: atMs, untilMs: proof.value.replayableUntilMs }));
    };
    expect([0, 0, 60_000, 89_999, 90_000].map((ms) => use(nowMs + ms))).toEqual([
      'accepted',
      'replayed',
      'replayed',
      'replayed',
      'expired',
    ]);
  });

  test('with the key that signed nothing is refused', () => {
    const forged = forge(
      {
        header: { alg: 'ES256', typ: 'dpop+jwt', jwk: workloadJwk },
        claims: { jti: 'd', htm: 'POST', htu: target, iat: now },
      },
      newKey().privateKey,
    );
    expect(verdict(verifyDpopProof([forged], dpopRules))).toBe('bad-signature');
  });
});

describe('A34: a client assertion', () => {
  test.each<readonly [string, Changes, string]>([
    ['good', {}, 'accepted'],
    ['typ client-authentication+jwt', { header: { typ: 'client-authentication+jwt' } }, 'accepted'],
    ['no typ', { header: { typ: undefined } }, 'accepted'],
    ['typ at+jwt', { header: { typ: 'at+jwt' } }, 'wrong-typ'],
    ['no kid', { header: { kid: undefined } }, 'missing-kid'],
    ['another issuer', { claims: { iss: prices } }, 'unknown-issuer'],
    ['another subject', { claims: { sub: prices } }, 'wrong-subject'],
    ['no issuer', { claims: { iss: undefined } }, 'missing-iss'],
    ['no subject', { claims: { sub: undefined } }, 'missing-sub'],
    ['another client altogether', { claims: { iss: prices, sub: prices } }, 'unknown-issuer'],
    ['the URL of the token endpoint', { claims: { aud: `${sts}/token` } }, 'wrong-audience'],
    ['a list of our issuer', { claims: { aud: [sts] } }, 'bad-aud'],
    ['a slash more', { claims: { aud: `${sts}/` } }, 'wrong-audience'],
    ['no audience', { claims: { aud: undefined } }, 'missing-aud'],
    ['a year', { claims: { exp: now + 31_536_000 } }, 'lifetime-too-long'],
    ['a year without iat', { claims: { exp: now + 31_536_000, iat: undefined } }, 'lifetime-too-long'],
    ['no iat', { claims: { iat: undefined } }, 'accepted'],
    ['no exp', { claims: { exp: undefined } }, 'missing-exp'],
    ['expired', { claims: { iat: now - 60, exp: now - 30 } }, 'expired'],
    ['no jti', { claims: { jti: undefined } }, 'missing-jti'],
  ])('%s', (_, changes, expected) => {
    expect(verdict(verifyClientAssertion(assertion(changes), assertionRules))).toBe(expected);
  });

  test('is of the client that was asked for', () => {
    const rules = { ...assertionRules, clientId: prices };
    expect(verdict(verifyClientAssertion(assertion(), rules))).toBe('unknown-issuer');
    const own = verifyClientAssertion(assertion(), assertionRules);
    expect(own).toMatchObject({ ok: true, value: { clientId: cart, tokenId: 'a1' } });
  });
});

describe('seen IDs', () => {
  const admit = (seen: ReturnType<typeof createSeenIds>, id: string, atMs: number): string =>
    verdict(seen.admit(id, { nowMs: atMs, untilMs: atMs + 60_000 }));

  test('A70: when memory is full, new ones are refused until old ones are dead', () => {
    const seen = createSeenIds(3);
    expect(['a', 'b', 'c', 'd', 'a'].map((id) => admit(seen, id, nowMs))).toEqual([
      'accepted',
      'accepted',
      'accepted',
      'too-many-ids',
      'replayed',
    ]);
    expect(admit(seen, 'd', nowMs + 59_999)).toBe('too-many-ids');
    expect(admit(seen, 'd', nowMs + 62_000)).toBe('accepted');
    expect(seen.size).toBe(1);
  });

  test('one that has died may come again', () => {
    const seen = createSeenIds(1);
    expect([0, 59_999, 60_000, 60_001].map((ms) => admit(seen, 'a', nowMs + ms))).toEqual([
      'accepted',
      'replayed',
      'accepted',
      'replayed',
    ]);
  });
});
