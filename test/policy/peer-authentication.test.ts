import { describe, expect, test } from 'vitest';
import { mtlsModeOf } from '#policy/decide.ts';
import { compiledPolicy, pricesWorkload } from '#support/policies.ts';

const document = (kind: string, spec: string, place = 'name: a, namespace: shop'): string =>
  `apiVersion: eastwest.dev/v1\nkind: ${kind}\nmetadata: { ${place} }\nspec:\n${spec.replaceAll(/^/gm, '  ')}\n---\n`;

describe('the mode of mTLS', () => {
  const peers = (spec: string, place?: string): string =>
    document('PeerAuthentication', spec, place).replace('eastwest.dev', 'security.istio.io');
  const mesh = peers('mtls: { mode: PERMISSIVE }', 'name: mesh, namespace: istio-system');
  const own = 'selector: { matchLabels: { app: prices } }';
  test.each([
    ['STRICT where nobody says anything', '', 'STRICT'],
    ['as the mesh says', mesh, 'PERMISSIVE'],
    ['as the namespace says', mesh + peers('mtls: { mode: STRICT }'), 'STRICT'],
    ['as the mesh says where the namespace leaves it open', mesh + peers('mtls: { mode: UNSET }'), 'PERMISSIVE'],
    [
      'as the workload’s says',
      peers('mtls: { mode: STRICT }') + peers(`${own}\nmtls: { mode: PERMISSIVE }`, 'name: b, namespace: shop'),
      'PERMISSIVE',
    ],
    [
      'as its port says',
      peers(`${own}\nmtls: { mode: STRICT }\nportLevelMtls: { 8080: { mode: PERMISSIVE } }`),
      'PERMISSIVE',
    ],
    [
      'as the workload’s says at other ports',
      peers(`${own}\nmtls: { mode: STRICT }\nportLevelMtls: { 8081: { mode: PERMISSIVE } }`),
      'STRICT',
    ],
    ['not as another namespace says', peers('mtls: { mode: PERMISSIVE }', 'name: a, namespace: web'), 'STRICT'],
    [
      'not as one for other workloads says',
      peers('selector: { matchLabels: { app: cart } }\nmtls: { mode: PERMISSIVE }'),
      'STRICT',
    ],
    [
      'not as one with a selector in the root namespace says',
      peers(`${own}\nmtls: { mode: PERMISSIVE }`, 'name: a, namespace: istio-system'),
      'STRICT',
    ],
  ])('is %s', (_name, policies, mode) => {
    expect(mtlsModeOf(compiledPolicy(policies), 8080)).toBe(mode);
  });

  test('of the root namespace itself comes from its own documents', () => {
    const compiled = compiledPolicy(mesh, { ...pricesWorkload, namespace: 'istio-system' });
    expect(mtlsModeOf(compiled, 8080)).toBe('PERMISSIVE');
  });
});
