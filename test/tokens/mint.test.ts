import { jwtVerify } from 'jose';
import { createPublicKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { verifyAccessToken } from '#tokens/access-token.ts';
import { verifyClientAssertion } from '#tokens/client-assertion.ts';
import { verifyDpopProof } from '#tokens/dpop.ts';
import { verifyJwtSvid } from '#tokens/jwt-svid.ts';
import { mintClientAssertion, mintDpopProof, mintWpt } from '#tokens/mint-proof.ts';
import { mintAccessToken, mintJwtSvid, mintTxnToken, mintWit, type AccessContent, type Signing } from '#tokens/mint.ts';
import { toSigningKey } from '#tokens/signing-key.ts';
import { verifyTxnToken } from '#tokens/txn-token.ts';
import { verifyWit } from '#tokens/wit.ts';
import { verifyWpt } from '#tokens/wpt.ts';
import {
  assertionRules,
  dpopRules,
  jwtSvidRules,
  target,
  txnRules,
  witRules,
  workloadKey,
  wptRules,
} from '#support/token-kinds.ts';
import {
  audience,
  cart,
  must,
  newKey,
  nowMs,
  pairFor,
  prices,
  rules,
  sts,
  stsKey,
  thumbprint,
  verdict,
} from '#support/tokens.ts';

const signing: Signing = { key: stsKey, nowMs, lifetimeSeconds: 300, maxLifetimeSeconds: 300 };
const from = { issuer: sts, subjects: { trustDomains: ['shop.example'], ownNames: 'refuse' } } as const;
const content: AccessContent = {
  subject: cart,
  clientId: cart,
  audience: prices,
  tokenId: 'j1',
  scopes: ['prices.read', 'prices.list'],
  certificateThumbprint: thumbprint,
  dpopThumbprint: undefined,
};
const publicKey = createPublicKey({ key: stsKey.publicJwk, format: 'jwk' });

describe('an access token of ours', () => {
  const full: AccessContent = {
    ...content,
    roles: ['reader'],
    tenant: 'acme',
    authorizedParty: cart,
    username: 'ann',
    displayName: 'Ann B',
    actors: [
      { subject: 'spiffe://shop.example/a', issuer: undefined },
      { subject: 'spiffe://shop.example/b', issuer: sts },
    ],
    mayAct: { subject: cart, issuer: undefined },
    dpopThumbprint: stsKey.kid,
  };

  test('says to our verifier what was asked for', async () => {
    const text = must(await mintAccessToken(full, from, signing));
    const { kid } = stsKey;
    expect(verifyAccessToken(text, rules())).toMatchObject({ ok: true, value: { ...full, kid, issuer: sts } });
  });

  test('is accepted by jose, with typ, issuer, audience and times', async () => {
    const text = must(await mintAccessToken(full, from, signing));
    const { payload, protectedHeader } = await jwtVerify(text, publicKey, {
      typ: 'at+jwt',
      issuer: sts,
      audience: prices,
      currentDate: new Date(nowMs),
      algorithms: ['ES256'],
      requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'nbf', 'jti'],
    });
    expect(protectedHeader).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: stsKey.kid });
    expect(payload).toMatchObject({ scope: 'prices.read prices.list', act: { act: { iss: sts } } });
  });

  test('says nothing of what it was not given', async () => {
    const plain = { ...content, scopes: [], certificateThumbprint: undefined };
    const { payload } = await jwtVerify(must(await mintAccessToken(plain, from, signing)), publicKey, {
      currentDate: new Date(nowMs),
    });
    expect(Object.keys(payload).toSorted()).toEqual(['aud', 'client_id', 'exp', 'iat', 'iss', 'jti', 'nbf', 'sub']);
  });

  test.each<[string, Partial<AccessContent>, Partial<Signing>, string]>([
    ['S50: for everybody', { audience: '*' }, {}, 'bad-audience'],
    ['S50: for nobody', { audience: '' }, {}, 'bad-audience'],
    ['S51: above the cap', {}, { lifetimeSeconds: 301 }, 'lifetime-too-long'],
    ['for no time', {}, { lifetimeSeconds: 0 }, 'bad-exp'],
    ['for half a second', {}, { lifetimeSeconds: 0.5 }, 'bad-exp'],
    ['A14: about a foreign workload', { subject: 'spiffe://other.example/a' }, {}, 'wrong-subject'],
    ['without jti', { tokenId: '' }, {}, 'bad-jti'],
    ['with a scope that is two', { scopes: ['a b', ''] }, {}, 'bad-scope'],
    ['with a quote in its scope', { scopes: ['a"'] }, {}, 'bad-scope'],
    ['with a lone surrogate', { tenant: '\ud800' }, {}, 'malformed'],
    [
      'with five actors',
      { actors: 'abcde'.split('').map((name) => ({ subject: `spiffe://shop.example/${name}`, issuer: undefined })) },
      {},
      'bad-act',
    ],
    ['with a thumbprint that is none', { certificateThumbprint: 'ab' }, {}, 'bad-cnf'],
    ['of more than 8 KiB', { roles: Array.from({ length: 900 }, (_, index) => `role-${index}`) }, {}, 'too-large'],
  ])('is not made: %s', async (...[, changes, other, expected]) => {
    expect(verdict(await mintAccessToken({ ...content, ...changes }, from, { ...signing, ...other }))).toBe(expected);
  });
});

describe('the other kinds', () => {
  test('a JWT-SVID', async () => {
    const text = must(await mintJwtSvid({ spiffeId: cart, audience: prices }, 'shop.example', signing));
    expect(verifyJwtSvid(text, jwtSvidRules)).toMatchObject({ ok: true, value: { spiffeId: cart } });
    const elsewhere = mintJwtSvid({ spiffeId: cart, audience: prices }, 'other.example', signing);
    expect(verdict(await elsewhere)).toBe('wrong-subject');
  });

  test('a transaction token', async () => {
    const txn = { transactionId: 't', subject: cart, scopes: ['a', 'b'], requestingWorkload: cart };
    const context = { transactionContext: { order: 7 }, requesterContext: { ip: '::1' } };
    const text = must(await mintTxnToken({ ...txn, ...context }, txnRules, signing));
    expect(verifyTxnToken(text, txnRules)).toMatchObject({ ok: true, value: txn });
    expect(verdict(await mintTxnToken({ ...txn, scopes: [] }, txnRules, signing))).toBe('bad-scope');
  });

  test('a WIT and its proof, with every hash', async () => {
    const { publicJwk } = workloadKey;
    const wit = must(await mintWit({ subject: cart, tokenId: 'w', publicJwk }, witRules.domain, signing));
    const verified = must(verifyWit(wit, witRules));
    expect(verified.key.thumbprint).toBe(workloadKey.kid);
    const tokens = { accessToken: 'at', txnToken: 'tt', otherTokens: new Map([['x-user', 'u']]) };
    const asked = { audience: audience(target), lifetimeSeconds: 60, wit };
    const proving = { key: workloadKey, tokenId: 'p', nowMs };
    const proof = await mintWpt({ ...asked, ...tokens }, proving);
    expect(verdict(verifyWpt([proof], wptRules({ wit: verified, ...tokens })))).toBe('accepted');
    const bare = await mintWpt(asked, proving);
    expect(verdict(verifyWpt([bare], wptRules({ wit: verified })))).toBe('accepted');
    const other = await mintWpt(asked, { ...proving, key: newKey() });
    expect(verdict(verifyWpt([other], wptRules({ wit: verified })))).toBe('bad-signature');
  });

  test('a DPoP proof', async () => {
    const proving = { key: workloadKey, tokenId: 'd', nowMs };
    const asked = { method: 'POST', uri: `${target}?a=1`, accessToken: 'at', nonce: 'n' };
    const proof = verifyDpopProof([await mintDpopProof(asked, proving)], {
      ...dpopRules,
      accessToken: 'at',
      nonce: 'n',
    });
    expect(proof).toMatchObject({ ok: true, value: { thumbprint: workloadKey.kid, tokenId: 'd' } });
  });

  test('a client assertion', async () => {
    const asked = { clientId: cart, issuer: audience(sts), lifetimeSeconds: 60 };
    const text = await mintClientAssertion(asked, { key: stsKey, tokenId: 'a', nowMs });
    expect(verdict(verifyClientAssertion(text, assertionRules))).toBe('accepted');
  });
});

test('only P-256 keys sign', () => {
  const { privateKey } = pairFor('ES384');
  expect(() => toSigningKey({ privateKey, publicKey: createPublicKey(privateKey) })).toThrow('a signing key is P-256');
});
