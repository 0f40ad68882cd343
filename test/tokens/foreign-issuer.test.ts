import { describe, expect, test } from 'vitest';
import { verifyAccessToken, type AccessTokenRules } from '#tokens/access-token.ts';
import { audience, forge, issuer, keySet, newKey, now, rules, verdict } from '#support/tokens.ts';

const key = newKey();
const idp = 'https://login.example/tenant';
const api = 'api://documents';

const foreign = (changes: Parameters<typeof issuer>[0] = {}): AccessTokenRules =>
  rules(
    { audience: audience(api) },
    issuer({
      issuer: idp,
      keys: keySet([key]),
      typ: 'JWT',
      claimMap: { scope: 'scp', client_id: 'appid', preferred_username: 'username', jti: 'uti', roles: 'roles' },
      subjects: { trustDomains: [], ownNames: 'accept' },
      maxLifetimeSeconds: 3_600,
      ...changes,
    }),
  );

const claims = {
  iss: idp,
  sub: 'u-1',
  aud: api,
  appid: 'app-1',
  uti: 'u7',
  iat: now - 10,
  exp: now + 3_000,
  name: 'Ann B',
  username: 'ann',
  scp: 'groups.documents.read groups.documents.delete',
  roles: 'premium admin',
};

const verify = (changes: object, check = foreign(), header: object = {}) =>
  verifyAccessToken(
    forge(
      { header: { alg: 'ES256', typ: 'JWT', kid: key.kid, ...header }, claims: { ...claims, ...changes } },
      key.privateKey,
    ),
    check,
  );

describe('a foreign issuer, by its claim map alone', () => {
  test('S59: appid, scp and username are read under our names', () => {
    expect(verify({})).toMatchObject({
      ok: true,
      value: {
        subject: 'u-1',
        clientId: 'app-1',
        tokenId: 'u7',
        username: 'ann',
        displayName: 'Ann B',
        scopes: ['groups.documents.read', 'groups.documents.delete'],
        roles: ['premium', 'admin'],
      },
    });
  });

  test('a list of scopes will do as well', () => {
    expect(verify({ scp: ['a', 'b'] })).toMatchObject({ ok: true, value: { scopes: ['a', 'b'] } });
  });

  test.each<[string, object, string]>([
    ['exp a text', { exp: String(now + 300) }, 'bad-exp'],
    ['iat a text', { iat: String(now) }, 'bad-iat'],
    ['aud with a blank behind', { aud: `${api} ` }, 'wrong-audience'],
    ['username with a blank before', { username: ' ann' }, 'bad-preferred_username'],
    ['scp with two blanks', { scp: 'a  b' }, 'bad-scope'],
    ['scp an object', { scp: {} }, 'bad-scope'],
    ['scp and scope', { scope: 'admin' }, 'bad-scope'],
    ['appid and client_id', { client_id: 'app-2' }, 'bad-client_id'],
    ['uti missing', { uti: undefined }, 'missing-jti'],
    ['a subject of the mesh (A14)', { sub: 'spiffe://shop.example/ns/default/sa/cart' }, 'wrong-subject'],
    ['an hour and a second', { exp: now + 3_591 }, 'lifetime-too-long'],
    ['an ID token: nonce (A16)', { nonce: 'n' }, 'wrong-typ'],
    ['an ID token: at_hash (A16)', { at_hash: 'h' }, 'wrong-typ'],
  ])('nothing is repaired: %s', (_, changes, expected) => {
    expect(verdict(verify(changes))).toBe(expected);
  });

  test('without a map, appid is nobody: the sample of the articles is refused', () => {
    expect(verdict(verify({}, foreign({ claimMap: {} })))).toBe('missing-client_id');
  });

  test('typ is the one that was agreed on', () => {
    expect(verdict(verify({}, foreign({ typ: 'at+jwt' })))).toBe('wrong-typ');
    expect(verdict(verify({}, foreign(), { typ: 'at+jwt' }))).toBe('wrong-typ');
    expect(verdict(verify({}, foreign(), { typ: undefined }))).toBe('wrong-typ');
  });
});
