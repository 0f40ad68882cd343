import { describe, expect, test } from 'vitest';
import { readClaims, readCompactJws, type ReadOptions } from '#tokens/compact-jws.ts';
import { accessHeader, accessToken, encode, forge, verdict } from '#support/tokens.ts';

const good = accessToken();
const [head = '', body = '', tail = ''] = good.split('.');
/** The last character of 43 holds two bits that mean nothing. */
const spare = (part: string): string => part.slice(0, -1) + String.fromCharCode(part.charCodeAt(part.length - 1) + 1);
const withHeader = (changes: object): string => forge({ header: { ...accessHeader, ...changes } });
const oddHeader = encode('{"alg":"ES256","a":""}');

describe('A11: any other spelling of a good token is malformed', () => {
  test.each([
    ['nothing', ''],
    ['dots alone', '..'],
    ['one part', head],
    ['two parts', `${head}.${body}`],
    ['four parts', `${good}.${tail}`],
    ['five parts, a JWE', `${good}.${tail}.${tail}`],
    ['a dot at the end', `${good}.`],
    ['no header', `.${body}.${tail}`],
    ['a blank before', ` ${good}`],
    ['a blank after', `${good} `],
    ['a line end after', `${good}\n`],
    ['a blank inside', `${head}.${body.slice(0, 4)} ${body.slice(4)}.${tail}`],
    ['padding', `${head}.${body}.${tail}==`],
    ['padding of the header', `${head}=.${body}.${tail}`],
    ['+ for -', `${head}.${body}.${tail.slice(0, -3)}+AA`],
    ['/ for _', `${head}.${body}.${tail.slice(0, -3)}/AA`],
    ['a NUL', `${head}.${body}\0.${tail}`],
    ['beyond ASCII', `${head}.${body}\u0141.${tail}`],
    ['spare bits in the header', `${spare(oddHeader)}.${body}.${tail}`],
    ['spare bits in the signature', `${head}.${body}.${spare(tail)}`],
    ['a length that is no base64', `${head}.${body}.${tail}AAA`],
    ['JSON serialisation', JSON.stringify({ protected: head, payload: body, signature: tail })],
    ['a comma and another', `${good}, ${good}`],
    ['the scheme before it', `Bearer ${good}`],
  ])('%s', (_, text) => {
    expect(verdict(readCompactJws(text))).toBe('malformed');
  });

  test('but a header that has no spare bits is read', () => {
    expect(oddHeader.length % 4).not.toBe(0);
    expect(verdict(readCompactJws(`${oddHeader}.${body}.${tail}`))).toBe('accepted');
  });
});

describe('a header', () => {
  test.each<[string, string, string, ReadOptions?]>([
    ['A8: crit unknown', withHeader({ crit: ['exp'], exp: 1 }), 'critical-header'],
    ['A8: crit naming what is absent', withHeader({ crit: ['nope'] }), 'critical-header'],
    ['A8: crit empty', withHeader({ crit: [] }), 'critical-header'],
    ['A8: crit of another type', withHeader({ crit: null }), 'critical-header'],
    ['A8: b64 false', withHeader({ b64: false, crit: ['b64'] }), 'critical-header'],
    ['A8: b64 false without crit', withHeader({ b64: false }), 'critical-header'],
    ['A8: b64 true', withHeader({ b64: true }), 'critical-header'],
    ['A7: jku', withHeader({ jku: 'https://evil.example/jwks' }), 'header-not-allowed'],
    ['A7: x5u', withHeader({ x5u: 'https://evil.example/x5u' }), 'header-not-allowed'],
    ['A7: x5c', withHeader({ x5c: ['MIIB'] }), 'header-not-allowed'],
    ['A7: jwk', withHeader({ jwk: { kty: 'EC' } }), 'header-not-allowed'],
    ['A7: jku beside an allowed jwk', withHeader({ jwk: {}, jku: 'a' }), 'header-not-allowed', { header: 'jwk' }],
    ['A11: enc, a JWE', withHeader({ enc: 'A128GCM' }), 'header-not-allowed'],
    ['A11: cty, a nested token', withHeader({ cty: 'JWT' }), 'header-not-allowed'],
    ['jwk where it is defined', withHeader({ jwk: {} }), 'accepted', { header: 'jwk' }],
    ['jwk missing where it is defined', withHeader({}), 'malformed', { header: 'jwk' }],
    ['jwk of another type', withHeader({ jwk: 'a' }), 'malformed', { header: 'jwk' }],
    ['a parameter nobody knows', withHeader({ x: 1 }), 'accepted'],
    ['the same in a JWT-SVID', withHeader({ x: 1 }), 'header-not-allowed', { header: 'minimal' }],
    ['kid and typ in a JWT-SVID', withHeader({}), 'accepted', { header: 'minimal' }],
    ['alg missing', withHeader({ alg: undefined }), 'malformed'],
    ['alg a number', withHeader({ alg: 1 }), 'malformed'],
    ['A4: kid a list', withHeader({ kid: ['a'] }), 'malformed'],
    ['typ null', withHeader({ typ: null }), 'malformed'],
    ['A9: alg twice', forge({ header: '{"alg":"none","alg":"ES256"}' }), 'malformed'],
    ['A9: __proto__', forge({ header: '{"alg":"ES256","__proto__":{"kid":"a"}}' }), 'malformed'],
    ['A10: a byte order mark', forge({ header: '\uFEFF{"alg":"ES256"}' }), 'malformed'],
    ['A10: a lone surrogate', forge({ header: '{"alg":"ES256","kid":"\\ud800"}' }), 'malformed'],
    ['a list', forge({ header: '[]' }), 'malformed'],
  ])('%s', (_, text, expected, options) => {
    expect(verdict(readCompactJws(text, options))).toBe(expected);
  });

  test.each([
    ['at+jwt', 'at+jwt'],
    ['AT+JWT', 'at+jwt'],
    ['application/at+jwt', 'at+jwt'],
    ['Application/AT+jwt', 'at+jwt'],
    ['text/at+jwt', 'text/at+jwt'],
  ])('typ %s is read as %s (RFC 7515, section 4.1.9)', (typ, expected) => {
    expect(readCompactJws(withHeader({ typ }))).toMatchObject({ ok: true, value: { typ: expected } });
  });
});

describe('A10: size', () => {
  test('8 KiB are read, one character more is too large, undecoded', () => {
    const padded = (length: number): string => good + 'A'.repeat(length - good.length);
    expect(verdict(readCompactJws(padded(8_192)))).not.toBe('too-large');
    expect(verdict(readCompactJws(padded(8_193)))).toBe('too-large');
    expect(verdict(readCompactJws('.'.repeat(5_000_000)))).toBe('too-large');
  });

  test('the cap can be moved', () => {
    expect(verdict(readCompactJws(good, { maxLength: good.length }))).toBe('accepted');
    expect(verdict(readCompactJws(good, { maxLength: good.length - 1 }))).toBe('too-large');
  });
});

describe('claims', () => {
  test.each([
    ['A9: a name twice', '{"sub":"a","sub":"b"}'],
    ['A9: constructor', '{"constructor":{}}'],
    ['A10: a lone surrogate', '{"sub":"\\udfff"}'],
    ['A10: deep', `{"a":${'['.repeat(40)}${']'.repeat(40)}}`],
    ['a text', '"claims"'],
    ['nothing', ''],
    ['another token', good],
  ])('%s is malformed', (_, claims) => {
    const jws = readCompactJws(forge({ claims }));
    expect(jws.ok && verdict(readClaims(jws.value))).toBe('malformed');
  });
});
