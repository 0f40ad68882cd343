import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalizePath, unifyEncodings } from '#policy/path.ts';

const read = (path: string): string => {
  const normalized = normalizePath(path);
  return normalized.ok ? normalized.value : normalized.reason;
};

describe('every path has one spelling (A56)', () => {
  test.each([
    // nothing to do
    ['/', '/'],
    ['*', '*'],
    ['/prices/1', '/prices/1'],
    ['/.well-known/jwks.json', '/.well-known/jwks.json'],
    ['/a.b/..c/d../...', '/a.b/..c/d../...'],
    [`/!$&'()+,;=:@"<>[]^\`{|}~`, `/!$&'()+,;=:@"<>[]^\`{|}~`],
    ['/Prices', '/Prices'], // letter case is the app's
    ['/a;v=1/b;', '/a;v=1/b;'], // and so are parameters
    ['/;jsessionid=1', '/;jsessionid=1'],
    ['/...;v=1/.a;', '/...;v=1/.a;'],
    // RFC 3986, section 2.3: unreserved characters stand for themselves
    ['/%61%5A%30%2d%2E%5f%7e', '/aZ0-._~'],
    ['/%70rices', '/prices'],
    // RFC 3986, section 2.1: the others are encoded in upper-case digits, and what was not encoded stays
    ['/%3b%3B;', '/%3B%3B;'],
    ['/caf%c3%a9', '/caf%C3%A9'],
    ['/%f0%9f%8d%b0', '/%F0%9F%8D%B0'],
    ['/100%25', '/100%25'],
    ['/%25zz', '/%25zz'],
    ['/%20%0d%0a%7f', '/%20%0D%0A%7F'],
    ['/%3f%23', '/%3F%23'],
    // slashes
    ['//', '/'],
    ['//prices', '/prices'],
    ['/prices///1', '/prices/1'],
    ['/prices/', '/prices/'],
    ['/prices//', '/prices/'],
    // dot segments (RFC 3986, section 5.2.4)
    ['/.', '/'],
    ['/./', '/'],
    ['/a/.', '/a/'],
    ['/a/./b', '/a/b'],
    ['/a/..', '/'],
    ['/a/b/..', '/a/'],
    ['/a/b/../', '/a/'],
    ['/a/b/../c', '/a/c'],
    ['/a/b/c/./../../g', '/a/g'],
    ['/a/%2e/b', '/a/b'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.%2e/b', '/b'],
    ['/a/%2e./b', '/b'],
    ['/a//../b', '/b'], // slashes are merged first
    ['/a/..//b', '/b'],
    ['/a/..a/b', '/a/..a/b'],
  ])('%s is %s', (path, normalized) => {
    expect(read(path)).toBe(normalized);
  });

  test('a plain path is the same string, of 64 KiB too', () => {
    const long = '/prices/1'.repeat(7_000);
    expect(normalizePath(long)).toEqual({ ok: true, value: long });
    expect(read(`${long}/${'../'.repeat(13_999)}`)).toBe('/prices/');
  });
});

describe('what another reader could take for another path is refused (A56)', () => {
  test.each([
    ['', 'relative-path'],
    ['prices', 'relative-path'],
    ['**', 'relative-path'],
    ['*/', 'relative-path'],
    ['%2fprices', 'relative-path'],
    ['http://prices/1', 'relative-path'],
    ['/a b', 'bad-path-character'],
    ['/a\tb', 'bad-path-character'],
    ['/a\0', 'bad-path-character'],
    ['/a\x7f', 'bad-path-character'],
    ['/caf\xe9', 'bad-path-character'],
    ['/\u212a', 'bad-path-character'],
    ['/a?b', 'bad-path-character'],
    ['/a#b', 'fragment'],
    ['/a\\b', 'backslash'],
    ['/\\..\\a', 'backslash'],
    ['/a%5cb', 'backslash'],
    ['/a%5Cb', 'backslash'],
    ['/a%2fb', 'encoded-slash'],
    ['/a%2Fb', 'encoded-slash'],
    ['/..%2fa', 'encoded-slash'],
    ['/a%00', 'encoded-nul'],
    ['/a%00.html', 'encoded-nul'],
    ['/a%', 'bad-percent-encoding'],
    ['/a%2', 'bad-percent-encoding'],
    ['/a%zz', 'bad-percent-encoding'],
    ['/a%u002f', 'bad-percent-encoding'],
    ['/a%%32%66', 'bad-percent-encoding'],
    ['/%252e%252e/a', 'double-encoding'],
    ['/a%252fb', 'double-encoding'],
    ['/a%255c', 'double-encoding'],
    ['/a%2541', 'double-encoding'],
    ['/a%25%32%66', 'double-encoding'], // once decoded, `%252f`
    ['/a%25c%33', 'double-encoding'],
    ['/%c0%ae%c0%ae/a', 'not-utf8'], // overlong dots
    ['/%c0%af', 'not-utf8'], // overlong slash
    ['/%e0%80%af', 'not-utf8'],
    ['/%f0%80%80%af', 'not-utf8'],
    ['/%c3', 'not-utf8'],
    ['/%c3(', 'not-utf8'],
    ['/%c3/%a9', 'not-utf8'],
    ['/%a9', 'not-utf8'],
    ['/%ed%a0%80', 'not-utf8'], // a surrogate
    ['/%f4%90%80%80', 'not-utf8'],
    ['/%ff', 'not-utf8'],
    ['/a/..;/b', 'dot-segment-with-parameters'],
    ['/a/..;v=1', 'dot-segment-with-parameters'],
    ['/a/.;x/b', 'dot-segment-with-parameters'],
    ['/a/%2e%2e;/b', 'dot-segment-with-parameters'],
    ['/a/..%3b/b', 'dot-segment-with-parameters'],
    ['/..', 'above-root'],
    ['/../a', 'above-root'],
    ['/a/../../b', 'above-root'],
    ['/a/%2e%2e/%2e%2e', 'above-root'],
    ['//../a', 'above-root'],
    ['/./../', 'above-root'],
  ])('%j: %s', (path, reason) => {
    expect(read(path)).toBe(reason);
  });
});

test('encodings are unified without a segment removed', () => {
  expect(unifyEncodings('/a//%2e%2E/%3b')).toEqual({ ok: true, value: '/a//../%3B' });
  expect(unifyEncodings('/a/..;/')).toEqual({ ok: true, value: '/a/..;/' });
  expect(unifyEncodings('*')).toEqual({ ok: false, reason: 'relative-path' });
});

describe('laws', () => {
  const piece = fc.oneof(
    { arbitrary: fc.constantFrom('/', '.', '..', '%2e', '%2E', '%41', '%7e', '%3b', ';', 'a', '0', 'F'), weight: 8 },
    { arbitrary: fc.constantFrom('%25', '%', '%2f', '%5c', '\\', '%00', '%c3%a9', '%c0%ae', '?', '#', ' '), weight: 1 },
    { arbitrary: fc.string({ unit: 'binary', maxLength: 3 }), weight: 1 },
  );
  const paths = fc.array(piece, { maxLength: 16 }).map((pieces) => `/${pieces.join('')}`);
  const accepted = (path: string, law: (normalized: string) => void): void => {
    const normalized = normalizePath(path);
    if (normalized.ok) law(normalized.value);
  };

  test('what is normalised is its own spelling, and no longer than what came', () => {
    fc.assert(
      fc.property(paths, (path) =>
        accepted(path, (normalized) => {
          expect(normalizePath(normalized)).toEqual({ ok: true, value: normalized });
          expect(normalized.length).toBeLessThanOrEqual(path.length);
        }),
      ),
      { numRuns: 2_000 },
    );
  });

  test('it holds no dot segment, empty segment, encoded unreserved character or lower-case encoding', () => {
    fc.assert(
      fc.property(paths, (path) =>
        accepted(path, (normalized) => {
          const segments = normalized.slice(1).split('/');
          expect(segments.slice(0, -1)).not.toContain('');
          for (const segment of segments) expect(segment).not.toMatch(/^(?:\.|%2e){1,2}(?:;|%3b|$)/i);
          for (const [encoding] of normalized.matchAll(/%../g)) {
            expect(encoding).toMatch(/^%[0-9A-F]{2}$/);
            expect(decodeURIComponent(encoding.replace(/^%[89A-F].$/, '/'))).not.toMatch(/^[A-Za-z0-9._~-]$/);
          }
          expect(normalized, 'means the same to who decodes it twice').not.toMatch(/%25[0-9A-F]{2}/i);
        }),
      ),
      { numRuns: 2_000 },
    );
  });

  test('it is the path that a URL parser reads (WHATWG URL), once slashes are merged', () => {
    fc.assert(
      fc.property(paths, (path) =>
        accepted(path, (normalized) => {
          const { pathname } = new URL(path.replaceAll(/\/+/g, '/'), 'http://prices');
          expect(decodeURIComponent(normalized)).toBe(decodeURIComponent(pathname));
        }),
      ),
      { numRuns: 2_000 },
    );
  });
});
