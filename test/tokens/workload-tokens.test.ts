import { describe, expect, test } from 'vitest';
import { sha256Base64url } from '#tokens/base64url.ts';
import { verifyJwtSvid } from '#tokens/jwt-svid.ts';
import { verifyTxnToken } from '#tokens/txn-token.ts';
import { verifyWit } from '#tokens/wit.ts';
import { verifyWpt, type WptRules } from '#tokens/wpt.ts';
import {
  jwtSvid,
  jwtSvidRules,
  target,
  txnRules,
  txnToken,
  verifiedWit,
  wit,
  witRules,
  workloadJwk,
  workloadKey,
  wpt,
  wptRules,
  type Changes,
} from '#support/token-kinds.ts';
import { accessToken, audience, cart, forge, newKey, now, nowMs, pairFor, prices, verdict } from '#support/tokens.ts';

type Row = readonly [string, Changes, string];

describe('a JWT-SVID', () => {
  test.each<Row>([
    ['good', {}, 'accepted'],
    ['typ JOSE', { header: { typ: 'JOSE' } }, 'accepted'],
    ['no typ', { header: { typ: undefined } }, 'accepted'],
    ['typ at+jwt', { header: { typ: 'at+jwt' } }, 'wrong-typ'],
    ['another header parameter', { header: { x5t: 'a' } }, 'header-not-allowed'],
    ['no kid', { header: { kid: undefined } }, 'missing-kid'],
    ['EdDSA', { header: { alg: 'EdDSA' } }, 'alg-not-allowed'],
    ['one audience as a text', { claims: { aud: prices } }, 'accepted'],
    ['two audiences', { claims: { aud: [prices, cart] } }, 'bad-aud'],
    ['no audience', { claims: { aud: undefined } }, 'missing-aud'],
    ['another audience', { claims: { aud: cart } }, 'wrong-audience'],
    ['no exp', { claims: { exp: undefined } }, 'missing-exp'],
    ['expired', { claims: { exp: now - 30, iat: now - 60 } }, 'expired'],
    ['an hour', { claims: { exp: now + 3_600 } }, 'lifetime-too-long'],
    ['no iat, five minutes left', { claims: { iat: undefined } }, 'accepted'],
    ['no iat, an hour left', { claims: { iat: undefined, exp: now + 3_600 } }, 'lifetime-too-long'],
    ['no sub', { claims: { sub: undefined } }, 'missing-sub'],
    ['A14: another trust domain', { claims: { sub: 'spiffe://other.example/a' } }, 'wrong-subject'],
    ['A14: the trust domain alone', { claims: { sub: 'spiffe://shop.example' } }, 'wrong-subject'],
    ['A14: wimse', { claims: { sub: 'wimse://shop.example/a' } }, 'wrong-subject'],
    ['no SPIFFE ID', { claims: { sub: 'cart' } }, 'wrong-subject'],
  ])('%s', (_, changes, expected) => {
    expect(verdict(verifyJwtSvid(jwtSvid(changes), jwtSvidRules))).toBe(expected);
  });
});

describe('a WIT', () => {
  const cnf = (jwk: object): Changes => ({ claims: { cnf: { jwk } } });
  const good = { ...workloadJwk, alg: 'ES256' };

  test.each<Row>([
    ['good', {}, 'accepted'],
    ['an issuer beside', { claims: { iss: 'https://anybody.example' } }, 'accepted'],
    ['typ JWT', { header: { typ: 'JWT' } }, 'wrong-typ'],
    ['no kid', { header: { kid: undefined } }, 'missing-kid'],
    ['an audience', { claims: { aud: prices } }, 'bad-aud'],
    ['no cnf', { claims: { cnf: undefined } }, 'missing-cnf'],
    ['cnf by thumbprint', { claims: { cnf: { jkt: 'a' } } }, 'bad-cnf'],
    ['two confirmations', { claims: { cnf: { jwk: good, jkt: 'a' } } }, 'bad-cnf'],
    ['cnf.jwk without alg', cnf(workloadJwk), 'bad-cnf'],
    ['cnf.jwk with alg none', cnf({ ...workloadJwk, alg: 'none' }), 'bad-cnf'],
    ['cnf.jwk with HS256', cnf({ kty: 'oct', k: 'AAAA', alg: 'HS256' }), 'bad-cnf'],
    [
      'cnf.jwk with the private key',
      cnf({ ...workloadKey.privateKey.export({ format: 'jwk' }), alg: 'ES256' }),
      'bad-cnf',
    ],
    ['cnf.jwk with another curve', cnf({ ...good, alg: 'ES384' }), 'bad-cnf'],
    ['cnf.jwk with Ed25519', cnf({ ...pairFor('EdDSA').jwk, alg: 'EdDSA' }), 'accepted'],
    ['no exp', { claims: { exp: undefined } }, 'missing-exp'],
    ['expired', { claims: { exp: now - 30, iat: now - 60 } }, 'expired'],
    ['two hours', { claims: { exp: now + 7_200 } }, 'lifetime-too-long'],
    ['A14: another trust domain', { claims: { sub: 'spiffe://other.example/a' } }, 'wrong-subject'],
    ['A14: the same domain of wimse', { claims: { sub: 'wimse://shop.example/ns/default/sa/cart' } }, 'wrong-subject'],
    ['no URI', { claims: { sub: 'cart' } }, 'wrong-subject'],
  ])('%s', (_, changes, expected) => {
    expect(verdict(verifyWit(wit(changes), witRules))).toBe(expected);
  });

  test('A14: of a wimse domain speaks of wimse alone', () => {
    const rules = { ...witRules, domain: { scheme: 'wimse', trustDomain: 'shop.example' } } as const;
    expect(verdict(verifyWit(wit({ claims: { sub: 'wimse://shop.example/cart' } }), rules))).toBe('accepted');
    expect(verdict(verifyWit(wit(), rules))).toBe('wrong-subject');
    expect(verdict(verifyWit(wit({ claims: { sub: 'wimse://Shop.example/cart' } }), rules))).toBe('wrong-subject');
  });
});

describe('A20: a WPT', () => {
  const access = accessToken();
  const others = new Map([['x-user-token', 'abc']]);
  const oth = { 'x-user-token': sha256Base64url('abc') };

  test.each<Row | readonly [...Row, Partial<WptRules>]>([
    ['good', {}, 'accepted'],
    ['typ JWT', { header: { typ: 'JWT' } }, 'wrong-typ'],
    ['alg other than cnf.jwk.alg', { header: { alg: 'ES384' } }, 'alg-not-allowed'],
    ['alg none', { header: { alg: 'none' } }, 'alg-not-allowed'],
    ['a key of its own', { header: { jwk: workloadJwk } }, 'header-not-allowed'],
    ['wth of another WIT', { claims: { wth: sha256Base64url(wit({ claims: { jti: 'w2' } })) } }, 'wrong-wth'],
    ['no wth', { claims: { wth: undefined } }, 'wrong-wth'],
    ['no ath while an access token is there', {}, 'wrong-ath', { accessToken: access }],
    [
      'ath of another access token',
      { claims: { ath: sha256Base64url('other') } },
      'wrong-ath',
      { accessToken: access },
    ],
    ['ath of this access token', { claims: { ath: sha256Base64url(access) } }, 'accepted', { accessToken: access }],
    ['ath while none is there', { claims: { ath: sha256Base64url(access) } }, 'wrong-ath'],
    ['no tth while a transaction token is there', {}, 'wrong-tth', { txnToken: 'txn' }],
    ['tth of it', { claims: { tth: sha256Base64url('txn') } }, 'accepted', { txnToken: 'txn' }],
    ['oth with an entry nobody knows', { claims: { oth } }, 'wrong-oth'],
    ['oth with one of two nobody knows', { claims: { oth: { ...oth, b: 'c' } } }, 'wrong-oth', { otherTokens: others }],
    ['oth of another value', { claims: { oth: { 'x-user-token': 'a' } } }, 'wrong-oth', { otherTokens: others }],
    ['oth of it', { claims: { oth } }, 'accepted', { otherTokens: others }],
    ['no oth while a token is there', {}, 'wrong-oth', { otherTokens: others }],
    ['oth of one of two tokens', { claims: { oth } }, 'wrong-oth', { otherTokens: new Map([...others, ['b', 'c']]) }],
    ['oth a text', { claims: { oth: 'a' } }, 'wrong-oth', { otherTokens: others }],
    ['for another target', { claims: { aud: `${target}/2` } }, 'wrong-audience'],
    ['for two targets', { claims: { aud: [target, prices] } }, 'bad-aud'],
    ['no exp', { claims: { exp: undefined } }, 'missing-exp'],
    ['expired', { claims: { exp: now - 30 } }, 'expired'],
    ['ten minutes', { claims: { exp: now + 600 } }, 'lifetime-too-long'],
    ['no jti', { claims: { jti: undefined } }, 'missing-jti'],
  ])('%s', (_, changes, expected, rules = {}) => {
    expect(verdict(verifyWpt([wpt(changes)], wptRules(rules)))).toBe(expected);
  });

  test('in two headers, or in none', () => {
    expect(verdict(verifyWpt([wpt(), wpt()], wptRules()))).toBe('several-headers');
    expect(verdict(verifyWpt([], wptRules()))).toBe('no-header');
    expect(verdict(verifyWpt([`${wpt()}, ${wpt()}`], wptRules()))).toBe('malformed');
  });

  test('of somebody else who stole the WIT', () => {
    const stolen = { aud: target, exp: now + 60, jti: 'p1', wth: sha256Base64url(verifiedWit().text) };
    const forged = forge({ header: { alg: 'ES256', typ: 'wpt+jwt' }, claims: stolen }, newKey().privateKey);
    expect(verdict(verifyWpt([forged], wptRules()))).toBe('bad-signature');
  });

  test('can come again for as long as it is accepted, so its ID is kept that long', () => {
    const proof = verifyWpt([wpt()], wptRules());
    const until = proof.ok ? proof.value.replayableUntilMs : 0;
    expect(verdict(verifyWpt([wpt()], wptRules({ nowMs: until - 1 })))).toBe('accepted');
    expect(verdict(verifyWpt([wpt()], wptRules({ nowMs: until })))).toBe('expired');
    expect(until).toBeGreaterThan(nowMs);
  });
});

describe('a transaction token', () => {
  test.each<Row>([
    ['good', {}, 'accepted'],
    ['typ JWT', { header: { typ: 'JWT' } }, 'wrong-typ'],
    ['typ at+jwt', { header: { typ: 'at+jwt' } }, 'wrong-typ'],
    ['no kid', { header: { kid: undefined } }, 'missing-kid'],
    ['no iat', { claims: { iat: undefined } }, 'missing-iat'],
    ['no exp', { claims: { exp: undefined } }, 'missing-exp'],
    ['an hour', { claims: { exp: now + 3_600 } }, 'lifetime-too-long'],
    ['another trust domain', { claims: { aud: 'other.example' } }, 'wrong-audience'],
    ['no txn', { claims: { txn: undefined } }, 'missing-txn'],
    ['no sub', { claims: { sub: undefined } }, 'missing-sub'],
    ['no scope', { claims: { scope: undefined } }, 'missing-scope'],
    ['an empty scope', { claims: { scope: '' } }, 'bad-scope'],
    ['no req_wl', { claims: { req_wl: undefined } }, 'missing-req_wl'],
    ['A14: req_wl elsewhere', { claims: { req_wl: 'spiffe://other.example/a' } }, 'wrong-subject'],
    ['A14: sub elsewhere', { claims: { sub: 'spiffe://other.example/a' } }, 'wrong-subject'],
    ['tctx a text', { claims: { tctx: 'a' } }, 'bad-tctx'],
    ['rctx a list', { claims: { rctx: [] } }, 'bad-rctx'],
    ['no contexts', { claims: { tctx: undefined, rctx: undefined } }, 'accepted'],
  ])('%s', (_, changes, expected) => {
    expect(verdict(verifyTxnToken(txnToken(changes), txnRules))).toBe(expected);
  });

  test('tells its contexts', () => {
    const token = verifyTxnToken(txnToken(), { ...txnRules, trustDomain: audience('shop.example') });
    expect(token.ok && token.value.transactionContext?.get('order')).toBe(7);
    expect(token.ok && token.value.requestingWorkload).toBe(cart);
  });
});
