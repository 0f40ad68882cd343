import { describe, expect, test } from 'vitest';
import { readKeySet } from '#tokens/jwks.ts';
import { keySet, keySetOf, must, newKey, pairFor, verdict } from '#support/tokens.ts';

const one = newKey().publicJwk;
const two = newKey().publicJwk;
const read = (text: string): string => verdict(readKeySet(Buffer.from(text), { algorithms: ['ES256'], use: 'sig' }));

describe('A22: a document that is not to be trusted is refused as a whole', () => {
  test.each<[string, object, string]>([
    [
      'one private key among good ones',
      { keys: [one, { ...pairFor('ES384').privateKey.export({ format: 'jwk' }), kid: 'p' }] },
      'private-key',
    ],
    ['one symmetric key', { keys: [one, { kty: 'oct', k: 'AAAA', kid: 'o' }] }, 'symmetric-key'],
    [
      'a private key for encryption',
      { keys: [one, { ...pairFor('RS256').privateKey.export({ format: 'jwk' }), use: 'enc' }] },
      'private-key',
    ],
    ['kid twice', { keys: [one, { ...two, kid: one.kid }] }, 'duplicate-kid'],
    ['kid twice, one of them not for us', { keys: [one, { ...two, kid: one.kid, use: 'enc' }] }, 'duplicate-kid'],
    ['kid twice, the first not for us', { keys: [{ ...two, kid: one.kid, use: 'enc' }, one] }, 'duplicate-kid'],
    ['the same key twice', { keys: [one, one] }, 'duplicate-kid'],
    ['101 keys', { keys: Array.from({ length: 101 }, (_, index) => ({ ...one, kid: `k${index}` })) }, 'too-many-keys'],
    ['20,000 keys', { keys: Array.from({ length: 20_000 }, () => ({})) }, 'too-many-keys'],
    ['no keys member', {}, 'malformed'],
    ['keys an object', { keys: {} }, 'malformed'],
    ['a key that is a text', { keys: ['a'] }, 'malformed'],
    ['a sequence that is a text', { keys: [], spiffe_sequence: '1' }, 'malformed'],
  ])('%s', (_, document, expected) => {
    expect(verdict(keySetOf(document))).toBe(expected);
  });

  test.each([
    ['HTML', '<html><body>502</body></html>', 'malformed'],
    ['nothing', '', 'malformed'],
    ['half a document', '{"keys":[', 'malformed'],
    ['keys twice', '{"keys":[],"keys":[]}', 'malformed'],
    ['50 MB', `{"keys":[],"a":"${'a'.repeat(50_000_000)}"}`, 'too-large'],
  ])('%s', (_, text, expected) => {
    expect(read(text)).toBe(expected);
  });
});

describe('a good document', () => {
  test('A23: without keys says that all are revoked', () => {
    const set = must(keySetOf({ keys: [] }));
    expect(set.keys.size).toBe(0);
    expect(set.passedOver).toEqual([]);
  });

  test('gives its keys by kid, and tells what it passed over', () => {
    const set = must(
      keySetOf({
        keys: [
          one,
          { ...two, use: 'enc' },
          { ...pairFor('EdDSA').jwk, kid: 'ed' },
          { ...two, kid: undefined },
          { kty: 'FUTURE' },
        ],
      }),
    );
    expect([...set.keys.keys()]).toEqual([one.kid]);
    expect(set.passedOver).toEqual([
      { kid: two.kid, why: 'other-use' },
      { kid: 'ed', why: 'other-key-type' },
      { kid: undefined, why: 'no-kid' },
      { kid: undefined, why: 'other-key-type' },
    ]);
  });

  test('has up to 100 keys', () => {
    const keys = Array.from({ length: 100 }, (_, index) => ({ ...one, kid: `k${index}` }));
    expect(must(keySetOf({ keys })).keys.size).toBe(100);
  });

  test('of SPIFFE: each kind of SVID sees its own keys', () => {
    const bundle = {
      keys: [
        { ...one, use: 'jwt-svid' },
        { ...two, use: 'wit-svid' },
        { ...pairFor('ES384').jwk, use: 'x509-svid', x5c: ['MII'] },
      ],
    };
    expect([...must(keySetOf(bundle, { use: 'jwt-svid' })).keys.keys()]).toEqual([one.kid]);
    expect([...must(keySetOf(bundle, { use: 'wit-svid' })).keys.keys()]).toEqual([two.kid]);
    expect(must(keySetOf(bundle)).keys.size).toBe(0);
  });
});

describe('A24: a bundle that counts backwards', () => {
  const bundle = (sequence: number | undefined, previous: number | undefined): string => {
    const before = must(keySetOf({ keys: [one], spiffe_sequence: previous }));
    const document = Buffer.from(JSON.stringify({ keys: [one], spiffe_sequence: sequence }));
    return verdict(readKeySet(document, { algorithms: ['ES256'], use: 'sig', previous: before }));
  };

  test.each([
    [8, 7, 'accepted'],
    [7, 7, 'accepted'],
    [6, 7, 'rollback'],
    [0, 7, 'rollback'],
    [undefined, 7, 'rollback'],
    [1, undefined, 'accepted'],
    [undefined, undefined, 'accepted'],
  ])('%s after %s: %s', (sequence, previous, expected) => {
    expect(bundle(sequence, previous)).toBe(expected);
  });
});

test('what we publish is read again', () => {
  const keys = [newKey(), newKey(), newKey()];
  expect([...keySet(keys).keys.keys()]).toEqual(keys.map(({ kid }) => kid));
});
