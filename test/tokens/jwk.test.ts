import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { issuerAlgorithms, proofAlgorithms } from '#tokens/algorithms.ts';
import { importJwk, type JwkRules } from '#tokens/jwk.ts';
import { readJsonObject } from '#tokens/strict-json.ts';
import { pairFor, verdict } from '#support/tokens.ts';

const p256 = pairFor('ES256').jwk as { readonly x: string; readonly y: string };
const p384 = pairFor('ES384').jwk;
const rsa = pairFor('RS256').jwk as { readonly n: string };
const ed25519 = pairFor('EdDSA').jwk;
const jwkOf = (bits: number, publicExponent?: number): object =>
  generateKeyPairSync('rsa', { modulusLength: bits, publicExponent }).publicKey.export({ format: 'jwk' });

const everything: JwkRules = { algorithms: issuerAlgorithms, use: 'sig' };

function read(jwk: object, rules: Partial<JwkRules> = {}) {
  const value = readJsonObject(Buffer.from(JSON.stringify(jwk)));
  if (!value) throw new Error('no JSON');
  return importJwk(value, { ...everything, ...rules });
}

describe('A22: keys that nobody should publish', () => {
  const modulus = Buffer.from(rsa.n, 'base64url');

  test.each<[string, object, string]>([
    ['private EC', pairFor('ES256').privateKey.export({ format: 'jwk' }), 'private-key'],
    ['private RSA', pairFor('RS256').privateKey.export({ format: 'jwk' }), 'private-key'],
    ['private member alone', { ...rsa, alg: 'RS256', p: 'AQAB' }, 'private-key'],
    ['symmetric', { kty: 'oct', k: 'AAAA', alg: 'HS256' }, 'symmetric-key'],
    ['symmetric for another use', { kty: 'oct', k: 'AAAA', use: 'enc' }, 'symmetric-key'],
    ['symmetric that says EC', { ...p256, k: 'AAAA' }, 'symmetric-key'],
    ['RSA of 1024 bits', { ...jwkOf(1024), alg: 'RS256' }, 'weak-rsa-key'],
    ['RSA of 2040 bits', { ...jwkOf(2040), alg: 'RS256' }, 'weak-rsa-key'],
    ['RSA of 16384 bits', { ...rsa, alg: 'RS256', n: Buffer.alloc(2_048, 0xff).toString('base64url') }, 'weak-rsa-key'],
    ['e = 3', { ...jwkOf(2048, 3), alg: 'RS256' }, 'bad-rsa-exponent'],
    ['e = 1', { ...rsa, alg: 'RS256', e: 'AQ' }, 'bad-rsa-exponent'],
    ['e with a leading zero', { ...rsa, alg: 'RS256', e: 'AAEAAQ' }, 'bad-rsa-exponent'],
    [
      'n with a leading zero',
      { ...rsa, alg: 'RS256', n: Buffer.concat([Buffer.alloc(1), modulus]).toString('base64url') },
      'malformed-key',
    ],
    ['n with padding', { ...rsa, alg: 'RS256', n: `${rsa.n}==` }, 'malformed-key'],
    ['no n', { kty: 'RSA', alg: 'RS256', e: 'AQAB' }, 'malformed-key'],
    ['x of 31 bytes', { ...p256, x: Buffer.alloc(31, 1).toString('base64url') }, 'malformed-key'],
    ['x of 33 bytes', { ...p256, x: Buffer.alloc(33, 1).toString('base64url') }, 'malformed-key'],
    ['no y', { ...p256, y: undefined }, 'malformed-key'],
    ['a point beside the curve', { ...p256, y: p256.x }, 'bad-point'],
    [
      'the point 0, 0',
      { ...p256, x: Buffer.alloc(32).toString('base64url'), y: Buffer.alloc(32).toString('base64url') },
      'bad-point',
    ],
    ['A3: ES384 on P-256', { ...p256, alg: 'ES384' }, 'curve-mismatch'],
    ['A3: ES256 on P-384', { ...p384, alg: 'ES256' }, 'curve-mismatch'],
    ['A3: RS256 on P-256', { ...p256, alg: 'RS256' }, 'curve-mismatch'],
    ['A3: ES256 on RSA', { ...rsa, alg: 'ES256' }, 'curve-mismatch'],
    ['no kty', { ...p256, kty: undefined }, 'malformed-key'],
    ['kid a number', { ...p256, kid: 1 }, 'malformed-key'],
    ['kid empty', { ...p256, kid: '' }, 'malformed-key'],
    ['use a list', { ...p256, use: ['sig'] }, 'malformed-key'],
    ['key_ops a text', { ...p256, key_ops: 'verify' }, 'malformed-key'],
    ['key_ops twice the same', { ...p256, key_ops: ['verify', 'verify'] }, 'malformed-key'],
  ])('%s', (_, jwk, expected) => {
    expect(verdict(read(jwk))).toBe(expected);
  });
});

describe('A22: ROCA (CVE-2017-15361)', () => {
  const primorial = primesTo(167).reduce((product, prime) => product * BigInt(prime), 1n);
  /** A modulus of 2048 bits; with the mark where `rest` is a power of 65537. */
  const modulusWith = (rest: bigint): string => {
    const number = (1n << 2_047n) - ((1n << 2_047n) % primorial) + primorial + rest;
    return Buffer.from(number.toString(16), 'hex').toString('base64url');
  };

  test.each([1, 2, 5, 40])('a modulus whose remainders are those of 65537^%i is refused', (power) => {
    const n = modulusWith(65_537n ** BigInt(power) % primorial);
    expect(verdict(read({ kty: 'RSA', e: 'AQAB', alg: 'RS256', n }))).toBe('roca-key');
  });

  test('its neighbour, and every key that OpenSSL makes, is not', () => {
    const n = modulusWith((65_537n ** 5n % primorial) + 2n);
    expect(verdict(read({ kty: 'RSA', e: 'AQAB', alg: 'RS256', n }))).toBe('accepted');
    expect(verdict(read({ ...rsa, alg: 'RS256' }))).toBe('accepted');
  });
});

function primesTo(limit: number): readonly number[] {
  const numbers = Array.from({ length: limit - 1 }, (_, index) => index + 2);
  return numbers.filter((number) => numbers.every((each) => each >= number || number % each !== 0));
}

describe('keys that are not for us', () => {
  test.each<[string, object, Partial<JwkRules>, string]>([
    ['for encryption', { ...p256, use: 'enc' }, {}, 'other-use'],
    ['for SVIDs', { ...p256, use: 'jwt-svid' }, {}, 'other-use'],
    ['key_ops without verify', { ...p256, key_ops: ['encrypt'] }, {}, 'other-use'],
    ['use left out in a bundle', { ...p256 }, { use: 'jwt-svid' }, 'other-use'],
    ['sig in a bundle', { ...p256, use: 'sig' }, { use: 'jwt-svid' }, 'other-use'],
    ['wit-svid for JWT-SVIDs', { ...p256, use: 'wit-svid' }, { use: 'jwt-svid' }, 'other-use'],
    ['alg that was not allowed', { ...p384, alg: 'ES384' }, { algorithms: ['ES256'] }, 'other-algorithm'],
    ['alg that nobody knows', { ...p256, alg: 'ES521' }, {}, 'other-algorithm'],
    ['alg of HMAC', { ...p256, alg: 'HS256' }, {}, 'other-algorithm'],
    ['curve that was not allowed', { ...p384 }, { algorithms: ['ES256'] }, 'other-algorithm'],
    ['curve that nobody knows', { ...p256, crv: 'secp256k1' }, {}, 'other-algorithm'],
    ['Ed25519', { ...ed25519 }, {}, 'other-key-type'],
    ['a type of tomorrow', { kty: 'AKP', pub: 'AA' }, {}, 'other-key-type'],
    ['RSA without alg where several are allowed', rsa, {}, 'ambiguous-algorithm'],
  ])('%s', (...[, jwk, rules, expected]) => {
    expect(verdict(read(jwk, rules))).toBe(expected);
  });
});

describe('good keys have one algorithm', () => {
  test.each<[string, object, Partial<JwkRules>, string]>([
    ['by alg', { ...rsa, alg: 'PS384' }, {}, 'PS384'],
    ['by the curve', { ...p384 }, {}, 'ES384'],
    ['by the configuration', rsa, { algorithms: ['ES256', 'RS512'] }, 'RS512'],
    ['use sig', { ...p256, use: 'sig', key_ops: ['verify'] }, {}, 'ES256'],
    ['use jwt-svid', { ...p256, use: 'jwt-svid' }, { use: 'jwt-svid' }, 'ES256'],
    ['Ed25519 for proofs', { ...ed25519, alg: 'EdDSA' }, { algorithms: proofAlgorithms }, 'EdDSA'],
  ])('%s', (...[, jwk, rules, algorithm]) => {
    expect(read(jwk, rules)).toMatchObject({ ok: true, value: { algorithm } });
  });

  test('Ed25519 has no y', () => {
    expect(verdict(read({ ...ed25519, y: p256.y }, { algorithms: proofAlgorithms }))).toBe('malformed-key');
  });

  test('the thumbprint is that of RFC 7638, section 3.1', () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst' +
      'n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr' +
      'n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';
    const jwk = { kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' };
    const thumbprint = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs';
    expect(read(jwk)).toMatchObject({ ok: true, value: { thumbprint, kid: '2011-04-29', algorithm: 'RS256' } });
  });
});
