import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTrustDomain, parseSpiffeId, trustDomainOf, workloadSpiffeId } from '#certs/spiffe-id.ts';

const longest = `spiffe://shop.example/${'a'.repeat(2048 - 22)}`;

describe('parseSpiffeId', () => {
  test.each([
    ['spiffe://prod.example/ns/shop/sa/cart', 'accepted'],
    ['spiffe://prod_1.example-2/Cart.v2', 'accepted'],
    [longest, 'accepted'],
    [`${longest}a`, 'too-long'],
    ['', 'wrong-scheme'],
    ['https://prod.example/ns/shop', 'wrong-scheme'],
    ['SPIFFE://prod.example/a', 'wrong-scheme'],
    [' spiffe://prod.example/a', 'wrong-scheme'],
    ['spiffe:///a', 'bad-trust-domain'],
    ['spiffe://Prod.example/a', 'bad-trust-domain'],
    ['spiffe://prod.example:443/a', 'bad-trust-domain'],
    ['spiffe://user@prod.example/a', 'bad-trust-domain'],
    ['spiffe://prod%2eexample/a', 'bad-trust-domain'],
    [`spiffe://${'a'.repeat(256)}/a`, 'bad-trust-domain'],
    ['spiffe://prod.example', 'bad-path'],
    ['spiffe://prod.example/', 'bad-path'],
    ['spiffe://prod.example/a/', 'bad-path'],
    ['spiffe://prod.example/a//b', 'bad-path'],
    ['spiffe://prod.example/./a', 'bad-path'],
    ['spiffe://prod.example/../admin', 'bad-path'],
    ['spiffe://prod.example/a%2fb', 'bad-path'],
    ['spiffe://prod.example/a?b', 'bad-path'],
    ['spiffe://prod.example/a#b', 'bad-path'],
    ['spiffe://prod.example/a b', 'bad-path'],
    ['spiffe://prod.example/a\n', 'bad-path'],
    ['spiffe://prod.example/a\0', 'bad-path'],
    ['spiffe://prod.example/é', 'bad-path'],
  ])('%j is %s', (text, expected) => {
    const parsed = parseSpiffeId(text);
    expect(parsed.ok ? 'accepted' : parsed.reason).toBe(expected);
  });

  test.each([...';,"=\\\r\n\t <>{}&'])(
    'A78: %j, which means something in a header, is in no SPIFFE ID',
    (character) => {
      expect(parseSpiffeId(`spiffe://prod.example/a${character}b`).ok).toBe(false);
      expect(parseSpiffeId(`spiffe://prod${character}example/a`).ok).toBe(false);
    },
  );

  const trustDomain = fc.stringMatching(/^[a-z0-9._-]{1,40}$/);
  const segment = fc.stringMatching(/^[a-zA-Z0-9._-]{1,20}$/).filter((text) => text !== '.' && text !== '..');

  test('what follows the grammar is accepted as it stands', () => {
    fc.assert(
      fc.property(trustDomain, fc.array(segment, { minLength: 1, maxLength: 6 }), (domain, path) => {
        const text = `spiffe://${domain}/${path.join('/')}`;
        const parsed = parseSpiffeId(text);
        expect(parsed).toEqual({ ok: true, value: text });
        if (parsed.ok) expect(trustDomainOf(parsed.value)).toBe(domain);
      }),
    );
  });

  test('what is accepted holds nothing but the grammar, whatever was sent', () => {
    const part = fc.constantFrom(
      'spiffe://',
      '/',
      'a',
      'A',
      '.',
      '..',
      '%2f',
      ':',
      '@',
      '?',
      ';',
      '"',
      '\0',
      'é',
      'ns',
    );
    fc.assert(
      fc.property(
        fc.array(part).map((parts) => `spiffe://a${parts.join('')}`),
        (text) => {
          if (!parseSpiffeId(text).ok) return;
          expect(text).toMatch(/^spiffe:\/\/[a-z0-9._-]+(\/[a-zA-Z0-9._-]+)+$/);
          expect(
            text
              .split('/')
              .slice(3)
              .some((s) => s === '.' || s === '..'),
          ).toBe(false);
        },
      ),
    );
  });
});

describe('workloadSpiffeId', () => {
  test.each([
    ['shop.example', 'default', 'prices', 'spiffe://shop.example/ns/default/sa/prices'],
    ['Shop.example', 'default', 'prices', 'bad-trust-domain'],
    ['shop.example/ns/x', 'default', 'prices', 'bad-trust-domain'],
    ['shop.example', 'default/sa/admin', 'prices', 'bad-path'],
    ['shop.example', 'default', 'prices/sa/admin', 'bad-path'],
    ['shop.example', '', 'prices', 'bad-path'],
    ['shop.example', 'default', '..', 'bad-path'],
  ])('%s, %s, %s gives %s', (trustDomain, namespace, serviceAccount, expected) => {
    const made = workloadSpiffeId(trustDomain, namespace, serviceAccount);
    expect(made.ok ? made.value : made.reason).toBe(expected);
  });
});

test('a trust domain has 1 to 255 characters', () => {
  expect([0, 1, 255, 256].map((length) => isTrustDomain('a'.repeat(length)))).toEqual([false, true, true, false]);
});
