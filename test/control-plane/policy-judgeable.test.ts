import { expect, test } from 'vitest';
import { unjudgeable } from '#control-plane/policies/judgeable.ts';
import type { ReadPolicy } from '#control-plane/policies/read.ts';
import { readPolicies } from '#policy/documents.ts';

/** As documents come from a file. */
function wanted(text: string): readonly ReadPolicy[] {
  const read = readPolicies(text, 'a.yaml');
  if (!read.ok) throw new Error(JSON.stringify(read.reason));
  return read.value.map(({ document, raw, ...place }) => ({
    ...{ kind: document.kind, namespace: document.namespace, name: document.name, read: document, ...place },
    ...{ json: JSON.stringify(raw), file: 'a.yaml' },
  }));
}

const scoped = (scope: string): string => `apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata: { name: scoped, namespace: shop }
spec: { selector: { matchLabels: { app: prices } }, rules: [{ to: [{ operation: { scopes: [${scope}] } }] }] }
---
`;
const templates = `apiVersion: eastwest.dev/v1
kind: ScopeTemplates
metadata: { name: prices, namespace: shop }
spec: { scopes: [{ scope: prices.read, method: GET, path: '/prices/{id}' }] }
---
`;
const mtls = (mode: string): string => `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: all, namespace: istio-system }
spec: { mtls: { mode: ${mode} } }
`;

test.each([
  ['a scope that nobody explains', scoped('no.such'), /spec\.rules\[0\]\.to\[0\]\.operation\.scopes\[0\].*no\.such/],
  ['a scope that comes along with it', scoped('prices.read') + templates, undefined],
  ['a port that takes plaintext callers too', mtls('PERMISSIVE'), undefined],
])('%s', (_name, text, problem) => {
  const told = unjudgeable(new Map(), wanted(text));
  if (problem === undefined) expect(told).toEqual([]);
  else expect(told).toEqual([expect.objectContaining({ file: 'a.yaml', problem: expect.stringMatching(problem) })]);
});

test('a scope that was explained before', () => {
  const [known] = wanted(templates);
  const current = new Map([['ScopeTemplates/shop/prices', { ...known!, revision: 1, source: '' }]]);
  expect(unjudgeable(current, wanted(scoped('prices.read')))).toEqual([]);
});
