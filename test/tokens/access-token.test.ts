import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verifyAccessToken } from '#tokens/access-token.ts';
import {
  accessToken,
  audience,
  cart,
  issuer,
  keySetOf,
  must,
  newKey,
  now,
  nowMs,
  prices,
  rules,
  sts,
  stsKey,
  thumbprint,
  verdict,
} from '#support/tokens.ts';

const verify = (text: string): string => verdict(verifyAccessToken(text, rules()));
const withClaims = (claims: object): string => verify(accessToken({ claims }));
const withHeader = (header: object): string => verify(accessToken({ header }));

describe('a good access token', () => {
  test('tells what it says, under our names', () => {
    const claims = { roles: ['reader'], tenant: 'acme', azp: cart, preferred_username: 'ann', name: 'Ann B' };
    expect(verifyAccessToken(accessToken({ claims }), rules())).toMatchObject({
      ok: true,
      value: {
        issuer: sts,
        subject: cart,
        clientId: cart,
        audience: prices,
        tokenId: 'b4c1f0d2a7e94b6d',
        kid: stsKey.kid,
        scopes: ['prices.read', 'prices.list'],
        roles: ['reader'],
        tenant: 'acme',
        authorizedParty: cart,
        username: 'ann',
        displayName: 'Ann B',
        actors: [],
        mayAct: undefined,
        certificateThumbprint: thumbprint,
        dpopThumbprint: undefined,
        issuedAtMs: nowMs,
        expiresAtMs: nowMs + 300_000,
      },
    });
  });

  test('may have typ application/at+jwt (RFC 9068, section 4), and claims that nobody knows', () => {
    expect(withHeader({ typ: 'application/at+jwt' })).toBe('accepted');
    expect(withClaims({ 'https://shop.example/claim': { a: [1] } })).toBe('accepted');
  });

  test('cannot be changed afterwards', () => {
    const token = verifyAccessToken(accessToken(), rules());
    expect(token.ok && Object.isFrozen(token.value)).toBe(true);
  });

  test('any one byte changed is refused', () => {
    const good = accessToken();
    const other = [...'ABCXYZabcxyz0189-_.= \0é+/'];
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.constantFrom(...other), (at, character) => {
        fc.pre(good[at] !== character);
        expect(verify(good.slice(0, at) + character + good.slice(at + 1))).not.toBe('accepted');
      }),
      { numRuns: 1_500 },
    );
  });
});

describe('A12, S47, S50: aud', () => {
  test.each<[string, unknown, string]>([
    ['ours', prices, 'accepted'],
    ['a list of ours alone', [prices], 'accepted'],
    ['missing', undefined, 'missing-aud'],
    ['null', null, 'bad-aud'],
    ['two, ours first', [prices, cart], 'bad-aud'],
    ['two, ours last', [cart, prices], 'bad-aud'],
    ['ours twice', [prices, prices], 'bad-aud'],
    ['an empty list', [], 'bad-aud'],
    ['a nested list', [[prices]], 'bad-aud'],
    ['a number', 1, 'bad-aud'],
    ['a list with a number', [1], 'bad-aud'],
    ['an object', { aud: prices }, 'bad-aud'],
    ['nothing', '', 'bad-aud'],
    ['*', '*', 'wrong-audience'],
    ['another', cart, 'wrong-audience'],
    ['a slash more', `${prices}/`, 'wrong-audience'],
    ['a blank more', `${prices} `, 'wrong-audience'],
    ['another case', prices.toUpperCase(), 'wrong-audience'],
    ['a part', prices.slice(0, -1), 'wrong-audience'],
  ])('%s', (_, aud, expected) => {
    expect(withClaims({ aud })).toBe(expected);
  });

  test.each(['', '*', 'a*', ' a', 'a ', 'a\nb', 'a\u007f', 'a'.repeat(2_049)])('%j is nobody to be', (text) => {
    expect(() => audience(text)).toThrow('bad-audience');
  });
});

describe('A13, S71: iss', () => {
  test.each<[string, unknown, string]>([
    ['missing', undefined, 'missing-iss'],
    ['a list', [sts], 'bad-iss'],
    ['unknown', 'https://evil.example', 'unknown-issuer'],
    ['a slash more', `${sts}/`, 'unknown-issuer'],
    ['another case', sts.toUpperCase(), 'unknown-issuer'],
    ['another scheme', sts.replace('https', 'http'), 'unknown-issuer'],
    ['nothing', '', 'unknown-issuer'],
    ['of a prototype', 'constructor', 'unknown-issuer'],
  ])('%s', (_, iss, expected) => {
    expect(withClaims({ iss })).toBe(expected);
  });

  test('another trusted issuer with our key: its own keys are asked', () => {
    const other = issuer({ issuer: 'https://other.example', keys: must(keySetOf({ keys: [newKey().publicJwk] })) });
    const check = rules({
      issuers: new Map([
        [sts, issuer()],
        [other.issuer, other],
      ]),
    });
    const token = accessToken({ claims: { iss: other.issuer } });
    expect(verdict(verifyAccessToken(token, check))).toBe('unknown-kid');
  });
});

describe('A14: an issuer speaks of its own subjects only', () => {
  test.each([
    'spiffe://other.example/ns/default/sa/cart',
    'spiffe://shop.example.evil.example/ns/default/sa/cart',
    'wimse://shop.example/ns/default/sa/cart',
    'SPIFFE://shop.example/ns/default/sa/cart',
    'spiffe://Shop.example/ns/default/sa/cart',
    'spiffe://shop.example',
    'spiffe://shop.example/a/../b',
    'spiffe:shop.example/a',
    'https://shop.example/cart',
    'user-1',
  ])('sub, client_id, azp or act %s', (name) => {
    expect(withClaims({ sub: name })).toBe('wrong-subject');
    expect(withClaims({ client_id: name })).toBe('wrong-subject');
    expect(withClaims({ azp: name })).toBe('wrong-subject');
    expect(withClaims({ act: { sub: name } })).toBe('wrong-subject');
  });

  test('S55: one that signs for itself speaks of itself alone', () => {
    const self = rules({ issuers: new Map([[cart, issuer({ issuer: cart, subjects: { only: cart } })]]) });
    const token = (claims: object): string => accessToken({ claims: { iss: cart, ...claims } });
    expect(verdict(verifyAccessToken(token({}), self))).toBe('accepted');
    for (const claims of [{ sub: prices }, { client_id: prices }, { azp: prices }, { act: { sub: prices } }]) {
      expect(verdict(verifyAccessToken(token(claims), self))).toBe('wrong-subject');
    }
  });

  test('one with names of its own may not speak of workloads', () => {
    const foreign = rules({}, issuer({ subjects: { trustDomains: [], ownNames: 'accept' } }));
    const token = (sub: string): string => accessToken({ claims: { sub, client_id: 'app-1' } });
    expect(verdict(verifyAccessToken(token('auth0|123'), foreign))).toBe('accepted');
    for (const name of [cart, 'spiffe:shop.example/a', 'Spiffe:a', 'WIMSE:a', 'https://a.example']) {
      expect(verdict(verifyAccessToken(token(name), foreign))).toBe('wrong-subject');
    }
  });
});

describe('A15, S47, S51: exp, iat, nbf', () => {
  test.each<[string, object, string]>([
    ['no exp', { exp: undefined }, 'missing-exp'],
    ['exp a text', { exp: String(now + 300) }, 'bad-exp'],
    ['exp null', { exp: null }, 'bad-exp'],
    ['exp 1e308', { exp: 1e308 }, 'bad-exp'],
    ['exp of the year 10000', { exp: 253_402_300_800 }, 'bad-exp'],
    ['exp negative', { exp: -1 }, 'bad-exp'],
    ['exp 0', { exp: 0 }, 'bad-exp'],
    ['exp with a fraction', { exp: now + 0.5 }, 'bad-exp'],
    ['exp in milliseconds', { exp: nowMs + 300_000 }, 'bad-exp'],
    ['exp before iat', { iat: now, exp: now - 1 }, 'bad-exp'],
    ['exp at iat', { iat: now, exp: now }, 'bad-exp'],
    ['exp 29 s ago', { iat: now - 100, exp: now - 29 }, 'accepted'],
    ['exp 30 s ago', { iat: now - 100, exp: now - 30 }, 'expired'],
    ['301 s from iat to exp', { exp: now + 301 }, 'lifetime-too-long'],
    ['a year', { exp: now + 31_536_000 }, 'lifetime-too-long'],
    ['no iat', { iat: undefined }, 'missing-iat'],
    ['iat a text', { iat: String(now) }, 'bad-iat'],
    ['iat in 30 s', { iat: now + 30 }, 'accepted'],
    ['iat in 31 s', { iat: now + 31 }, 'issued-in-the-future'],
    ['nbf a text', { nbf: String(now) }, 'bad-nbf'],
    ['nbf in 30 s', { nbf: now + 30 }, 'accepted'],
    ['nbf in 31 s', { nbf: now + 31 }, 'not-yet-valid'],
    ['no nbf', { nbf: undefined }, 'accepted'],
  ])('%s', (_, claims, expected) => {
    expect(withClaims(claims)).toBe(expected);
  });

  test('at most 30 s of skew are granted', () => {
    const token = accessToken({ claims: { iat: now - 100, exp: now - 31 } });
    expect(verdict(verifyAccessToken(token, rules({ skewSeconds: 3_600 })))).toBe('expired');
    expect(verdict(verifyAccessToken(token, rules({ skewSeconds: -3_600 })))).toBe('expired');
  });

  test('never accepted from 30 s after exp on, whenever it is shown', () => {
    const token = accessToken();
    fc.assert(
      fc.property(
        fc.integer({ min: -2_000_000, max: 2_000_000 }),
        fc.integer({ min: 0, max: 30 }),
        (ms, skewSeconds) => {
          const verdictThen = verdict(verifyAccessToken(token, rules({ nowMs: nowMs + ms, skewSeconds })));
          const inTime = ms < (300 + skewSeconds) * 1_000 && ms >= -skewSeconds * 1_000;
          expect(verdictThen === 'accepted').toBe(inTime);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('other claims', () => {
  test.each<[string, object, string]>([
    ['no sub', { sub: undefined }, 'missing-sub'],
    ['sub a number', { sub: 1 }, 'bad-sub'],
    ['sub with a blank before', { sub: ` ${cart}` }, 'bad-sub'],
    ['sub with a control character', { sub: `${cart}\n` }, 'bad-sub'],
    ['sub of 2,049 characters', { sub: 'a'.repeat(2_049) }, 'bad-sub'],
    ['no client_id', { client_id: undefined }, 'missing-client_id'],
    ['client_id empty', { client_id: '' }, 'bad-client_id'],
    ['no jti', { jti: undefined }, 'missing-jti'],
    ['jti a number', { jti: 7 }, 'bad-jti'],
    ['jti of 257 characters', { jti: 'j'.repeat(257) }, 'bad-jti'],
    ['azp a list', { azp: [cart] }, 'bad-azp'],
    ['tenant a number', { tenant: 1 }, 'bad-tenant'],
    ['preferred_username with a blank before', { preferred_username: ' ann' }, 'bad-preferred_username'],
    ['name empty', { name: '' }, 'bad-name'],
    ['scope a list', { scope: ['a'] }, 'bad-scope'],
    ['scope with two blanks', { scope: 'a  b' }, 'bad-scope'],
    ['scope with a blank before', { scope: ' a' }, 'bad-scope'],
    ['scope with a quote', { scope: 'a"b' }, 'bad-scope'],
    ['scope with a control character', { scope: 'a\tb' }, 'bad-scope'],
    ['257 scopes', { scope: Array.from({ length: 257 }, () => 'a').join(' ') }, 'bad-scope'],
    ['256 scopes', { scope: Array.from({ length: 256 }, () => 'a').join(' ') }, 'accepted'],
    ['no scope', { scope: undefined }, 'accepted'],
    ['roles a text', { roles: 'a b' }, 'bad-roles'],
    ['roles with a number', { roles: ['a', 1] }, 'bad-roles'],
    ['cnf a text', { cnf: thumbprint }, 'bad-cnf'],
    ['cnf empty', { cnf: {} }, 'bad-cnf'],
    ['cnf with a thumbprint in hex', { cnf: { 'x5t#S256': thumbprint } }, 'bad-cnf'],
    ['cnf with a short thumbprint', { cnf: { 'x5t#S256': 'q6s' } }, 'bad-cnf'],
    ['cnf with a method nobody knows', { cnf: { 'x5t#S1': stsKey.kid } }, 'bad-cnf'],
    ['cnf with jwk', { cnf: { jwk: stsKey.publicJwk } }, 'bad-cnf'],
    ['act a text', { act: cart }, 'bad-act'],
    ['act without sub', { act: {} }, 'bad-act'],
    ['may_act a text', { may_act: cart }, 'bad-may_act'],
  ])('%s', (_, claims, expected) => {
    expect(withClaims(claims)).toBe(expected);
  });

  const chain = (...names: readonly string[]): object | undefined =>
    names.reduceRight<object | undefined>((act, name) => ({ sub: `spiffe://shop.example/${name}`, act }), undefined);

  test('act: the current actor first, at most four, nobody twice', () => {
    const token = verifyAccessToken(accessToken({ claims: { act: chain('a', 'b') } }), rules());
    expect(token.ok && token.value.actors.map(({ subject }) => subject)).toEqual([
      'spiffe://shop.example/a',
      'spiffe://shop.example/b',
    ]);
    expect(withClaims({ act: chain('a', 'b', 'c', 'd') })).toBe('accepted');
    expect(withClaims({ act: chain('a', 'b', 'c', 'd', 'e') })).toBe('bad-act');
    expect(withClaims({ act: chain('a', 'b', 'a') })).toBe('bad-act');
  });

  test('may_act is told, for exchanges', () => {
    const token = verifyAccessToken(accessToken({ claims: { may_act: { sub: cart } } }), rules());
    expect(token.ok && token.value.mayAct).toEqual({ subject: cart, issuer: undefined });
  });
});
