import { describe, expect, test } from 'vitest';
import { deniedBy } from '#policy/decide.ts';
import { compiledPolicy, spiffeId } from '#support/policies.ts';

const document = (kind: string, spec: string, place = 'name: a, namespace: shop'): string =>
  `apiVersion: eastwest.dev/v1\nkind: ${kind}\nmetadata: { ${place} }\nspec:\n${spec.replaceAll(/^/gm, '  ')}\n---\n`;

describe('a deny list (A46)', () => {
  const proof = {
    spiffeId: spiffeId('spiffe://prod.example/ns/shop/sa/cart'),
    serial: '0a1f',
    keyThumbprint: 'ab'.repeat(32),
  };
  const listed = (entry: string, place?: string) =>
    compiledPolicy(document('DenyList', `entries: [{ ${entry}, reason: lost }]`, place));
  test.each([
    ['spiffeId: spiffe://prod.example/ns/shop/sa/cart', true],
    ['spiffeId: spiffe://prod.example/ns/shop/sa/carts', false],
    ['serial: "0a1f"', true],
    ['serial: "a1f"', true],
    ['serial: "a1f0"', false],
    [`keyThumbprint: "${'ab'.repeat(32)}"`, true],
    [`keyThumbprint: "${'ba'.repeat(32)}"`, false],
    ['serial: "a1f", expiresAt: "1970-01-01T00:00:01.001Z"', true],
    ['serial: "a1f", expiresAt: "1970-01-01T00:00:01Z"', false],
  ])('with %s: %j', (entry, isDenied) => {
    expect(deniedBy(listed(entry), proof, 1_000)?.reason).toBe(isDenied ? 'lost' : undefined);
  });

  test('is about its own namespace, from the root namespace about all', () => {
    expect(deniedBy(listed('serial: a1f', 'name: a, namespace: web'), proof, 0)).toBeUndefined();
    expect(deniedBy(listed('serial: a1f', 'name: a, namespace: istio-system'), proof, 0)).toMatchObject({
      serial: 'a1f',
    });
  });

  test('an entry that has run out hides no other', () => {
    const both = compiledPolicy(
      document(
        'DenyList',
        'entries: [{ serial: a1f, reason: old, expiresAt: "1970-01-01T00:00:01Z" }, { serial: a1f, reason: new }]',
      ),
    );
    expect(deniedBy(both, proof, 2_000)?.reason).toBe('new');
  });
});
