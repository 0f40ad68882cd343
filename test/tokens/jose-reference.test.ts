import fc from 'fast-check';
import { importJWK, jwtVerify, SignJWT, type JWK, type JWTVerifyOptions } from 'jose';
import { describe, expect, test } from 'vitest';
import { verifyAccessToken } from '#tokens/access-token.ts';
import { issuerAlgorithms } from '#tokens/algorithms.ts';
import {
  accessClaims,
  accessHeader,
  audience,
  cart,
  forge,
  issuer,
  keySetOf,
  must,
  now,
  nowMs,
  pairFor,
  prices,
  rules,
  sts,
  stsKey,
  verdict,
} from '#support/tokens.ts';

const options: JWTVerifyOptions = {
  typ: 'at+jwt',
  issuer: sts,
  audience: prices,
  currentDate: new Date(nowMs),
  clockTolerance: 30,
  algorithms: ['ES256'],
};

const key = await importJWK({ ...stsKey.publicJwk });

async function joseAccepts(token: string): Promise<boolean> {
  return jwtVerify(token, key, options).then(
    () => true,
    () => false,
  );
}

describe('beside jose', () => {
  test.each(issuerAlgorithms)('a token that jose signs with %s is accepted here', async (alg) => {
    const { privateKey, jwk } = pairFor(alg);
    const text = await new SignJWT(accessClaims).setProtectedHeader({ ...accessHeader, alg }).sign(privateKey);
    const keys = must(keySetOf({ keys: [{ ...jwk, alg, kid: stsKey.kid }] }));
    expect(verdict(verifyAccessToken(text, rules({}, issuer({ keys }))))).toBe('accepted');
    await jwtVerify(text, await importJWK(jwk as JWK, alg), { ...options, algorithms: [alg] });
  });

  const odd = fc.constantFrom<unknown>(
    undefined,
    null,
    '',
    '*',
    cart,
    prices,
    [prices],
    [prices, cart],
    now,
    now - 31,
    now + 31,
    now + 299,
    -1,
    1.5,
    String(now),
    {},
    true,
  );
  const names = ['iss', 'sub', 'aud', 'client_id', 'iat', 'nbf', 'exp', 'jti', 'scope', 'cnf', 'act', 'extra'];
  const changed = fc.dictionary(fc.constantFrom(...names), odd, { maxKeys: 2 });
  const header = fc.dictionary(
    fc.constantFrom('alg', 'typ', 'kid', 'crit', 'b64', 'jku', 'x'),
    fc.constantFrom<unknown>(undefined, 'ES256', 'none', 'at+jwt', 'AT+JWT', 'JWT', ['exp'], false, stsKey.kid),
    { maxKeys: 1 },
  );

  test('what we accept, jose accepts too; the other way round does not hold', async () => {
    const counts = { both: 0, joseAlone: 0 };
    await fc.assert(
      fc.asyncProperty(changed, header, async (claims, parameters) => {
        const token = forge({ header: { ...accessHeader, ...parameters }, claims: { ...accessClaims, ...claims } });
        const ours = verifyAccessToken(token, rules()).ok;
        const theirs = await joseAccepts(token);
        if (ours) expect(theirs).toBe(true);
        if (ours) counts.both += 1;
        else if (theirs) counts.joseAlone += 1;
      }),
      { numRuns: 1_500 },
    );
    expect(counts.both).toBeGreaterThan(30);
    expect(counts.joseAlone).toBeGreaterThan(30);
  });

  test.each<[string, string]>([
    ['no exp', forge({ claims: { ...accessClaims, exp: undefined } })],
    ['two audiences', forge({ claims: { ...accessClaims, aud: [prices, audience('b')] } })],
    ['a name twice', forge({ claims: JSON.stringify(accessClaims).replace('{', '{"sub":"admin",') })],
    ['padding', `${forge()}==`],
    ['a blank in the signature', forge().replace(/....$/, ' $&')],
    ['5 MB', forge({ claims: { ...accessClaims, a: 'a'.repeat(5_000_000) } })],
  ])('A10–A12, A15: jose alone is not enough: it accepts %s', async (_, token) => {
    expect(verdict(verifyAccessToken(token, rules()))).not.toBe('accepted');
    expect(await joseAccepts(token)).toBe(true);
  });
});
