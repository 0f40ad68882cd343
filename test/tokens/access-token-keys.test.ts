import { createHmac, createPublicKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { verifyAccessToken } from '#tokens/access-token.ts';
import { issuerAlgorithms } from '#tokens/algorithms.ts';
import {
  accessClaims,
  accessHeader,
  accessToken,
  encode,
  forge,
  issuer,
  keySetOf,
  must,
  newKey,
  pairFor,
  rules,
  stsKey,
  verdict,
} from '#support/tokens.ts';

const verify = (text: string): string => verdict(verifyAccessToken(text, rules()));
const withHeader = (header: object): string => verify(accessToken({ header }));

describe('A1, A2: algorithms', () => {
  const publicPem = createPublicKey(pairFor('RS256').privateKey).export({ format: 'pem', type: 'spki' }).toString();
  const hmac = (secret: string, alg: string): string => {
    const input = `${encode({ ...accessHeader, alg })}.${encode(accessClaims)}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const unsigned = (alg: string): string => `${encode({ ...accessHeader, alg })}.${encode(accessClaims)}.`;

  test.each(['none', 'None', 'NONE', 'nOnE', ''])('A1: alg %j without a signature', (alg) => {
    expect(verify(unsigned(alg))).toBe('alg-not-allowed');
    expect(withHeader({ alg })).toBe('alg-not-allowed');
  });

  test('A1: ES256 without a signature', () => {
    expect(verify(unsigned('ES256'))).toBe('bad-signature');
  });

  test.each(['HS256', 'HS384', 'HS512'])('A2: %s with a public key as the secret', (alg) => {
    expect(verify(hmac(JSON.stringify(stsKey.publicJwk), alg))).toBe('alg-not-allowed');
    expect(verify(hmac(publicPem, alg))).toBe('alg-not-allowed');
  });

  test.each(['es256', 'ES256K', 'EdDSA', 'RS256', 'toString', '__proto__'])('%s, which nobody allowed', (alg) => {
    expect(withHeader({ alg })).toBe('alg-not-allowed');
  });
});

describe('A3: an issuer with a key for each algorithm', () => {
  const kidOf = (algorithm: string): string => `key-${algorithm}`;
  const set = must(keySetOf({ keys: issuerAlgorithms.map((alg) => ({ ...pairFor(alg).jwk, kid: kidOf(alg), alg })) }));
  const check = rules({}, issuer({ keys: set }));
  const pairs = issuerAlgorithms.flatMap((used) => issuerAlgorithms.map((named) => [used, named] as const));

  test.each(issuerAlgorithms)('%s verifies with its own key', (alg) => {
    const header = { alg, typ: 'at+jwt', kid: kidOf(alg) };
    expect(verdict(verifyAccessToken(forge({ header }, pairFor(alg).privateKey, alg), check))).toBe('accepted');
  });

  test.each(pairs.filter(([used, named]) => used !== named))('%s with the key for %s is refused', (used, named) => {
    const header = { alg: used, typ: 'at+jwt', kid: kidOf(named) };
    const token = forge({ header }, pairFor(used).privateKey, used);
    expect(verdict(verifyAccessToken(token, check))).toBe('alg-not-allowed');
    const claimed = forge({ header: { ...header, alg: named } }, pairFor(used).privateKey, used);
    expect(verdict(verifyAccessToken(claimed, check))).toBe('bad-signature');
  });
});

describe('A4: kid', () => {
  test.each([
    ['another', 'another'],
    ['a path', '../../etc/passwd'],
    ['SQL', "' OR 1=1 --"],
    ['NUL', 'a\0b'],
    ['__proto__', '__proto__'],
    ['constructor', 'constructor'],
    ['empty', ''],
    ['4 KB', 'k'.repeat(4_000)],
  ])('%s is unknown', (_, kid) => {
    expect(withHeader({ kid })).toBe('unknown-kid');
  });

  test('10 KB is too large', () => {
    expect(withHeader({ kid: 'k'.repeat(10_000) })).toBe('too-large');
  });

  test('missing is refused, also with a single key', () => {
    expect(withHeader({ kid: undefined })).toBe('missing-kid');
  });

  test('of another key: bad signature', () => {
    const header = { ...accessHeader, kid: stsKey.kid };
    expect(verify(forge({ header }, newKey().privateKey))).toBe('bad-signature');
  });
});
