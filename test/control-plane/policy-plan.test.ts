import { describe, expect, test } from 'vitest';
import { planApply } from '#control-plane/policies/plan.ts';
import type { ReadPolicy } from '#control-plane/policies/read.ts';
import type { StoredPolicy } from '#control-plane/store/store.ts';
import { maxPolicies, maxPoliciesLength, policyKey } from '#proto/messages.ts';

const stored = (name: string, json = '{}'): StoredPolicy => ({
  ...{ kind: 'AuthorizationPolicy', namespace: 'default', name, json, revision: 1, source: '' },
});
const wanted = (name: string, json = '{}'): ReadPolicy => ({
  read: { kind: 'ScopeTemplates', namespace: 'default', name, scopes: [] }, // is not asked
  ...{ kind: 'AuthorizationPolicy', namespace: 'default', name, json, file: 'a.yaml', line: 3, column: 13 },
  placeOf: () => ({ line: 3, column: 13 }),
});
const byKey = (policies: readonly StoredPolicy[]) => new Map(policies.map((policy) => [policyKey(policy), policy]));
const nobody = { workloads: () => [], namespaceOf: () => undefined };
const operator = { kind: 'operator', folder: undefined } as const;

describe('a mesh has room for so much', () => {
  const full = byKey(Array.from({ length: maxPolicies }, (_none, index) => stored(`p${index}`)));
  const heavy = byKey([stored('a', `"${'x'.repeat(maxPoliciesLength - 10)}"`)]);

  test.each([
    ['one more document than there may be', full, wanted('new'), 'refused'],
    ['another text of one of them', full, wanted('p0', '{"a":1}'), 'planned'],
    ['more text than there may be', heavy, wanted('new', '"1234567890"'), 'refused'],
    ['less of it', heavy, wanted('a'), 'planned'],
  ])('%s', (_name, current, policy, expected) => {
    const plan = planApply(current, [policy], operator, nobody);
    expect(plan.ok ? 'planned' : 'refused').toBe(expected);
    if (!plan.ok)
      expect(plan.reason).toMatchObject([{ line: 3, problem: expect.stringContaining('there is room for') }]);
  });
});

test('the order of keys is no difference', () => {
  const current = byKey([stored('a', '{"a":1,"b":{"c":2,"d":3}}')]);
  const plan = planApply(current, [wanted('a', '{"b":{"d":3,"c":2},"a":1}')], operator, nobody);
  expect(plan).toMatchObject({ ok: true, value: { changes: [{ outcome: 'unchanged' }], put: [], gone: [] } });
});
