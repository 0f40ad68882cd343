import { describe, expect, test } from 'vitest';
import { PolicyUse, type RuleUse } from '#policy/learn/policy-use.ts';
import { observedCalls } from '#support/observed-calls.ts';
import { policiesOf, spiffeId } from '#support/policies.ts';

const rule = (fields: string): string => `{ to: [{ operation: { ${fields} } }] }`;
const policy = (name: string, rules: readonly string[], more = ''): string => `apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: shop }
spec: { ${more} rules: [${rules.join(', ')}] }
---
`;
const mesh = `apiVersion: eastwest.dev/v1
kind: MeshPolicy
metadata: { name: mesh }
spec: { defaultAction: allow }
`;

function used(yaml: string, requests: readonly string[]): RuleUse & { readonly standings: readonly unknown[] } {
  const use = new PolicyUse(policiesOf(yaml));
  const standings = observedCalls(requests).map((call) => {
    const standing = use.note(call);
    return standing.ok ? standing.value : standing.reason;
  });
  return { standings, ...use.use(undefined) };
}

describe('rules that calls need', () => {
  const none = { unused: [], untold: [], unseen: [] };

  test('are those that decide: of two that match the first', () => {
    const yaml = policy('a', [rule('paths: [/a]'), rule("paths: ['/*']"), rule('paths: [/c]')]);
    expect(used(yaml, ['GET /a', 'GET /b'])).toEqual({
      ...none,
      standings: ['allowed', 'allowed'],
      unused: ['shop/a rules[2]'],
    });
    expect(used(yaml, ['GET /a']).unused).toEqual(['shop/a rules[1]', 'shop/a rules[2]']);
  });

  test('are not those on trial, of other workloads, or that refuse', () => {
    const yaml =
      policy('a', [`{ dryRun: true, to: [{ operation: { paths: [/a] } }] }`, rule('paths: [/a]')]) +
      policy('far', [rule('paths: [/a]')], 'selector: { matchLabels: { app: far } },') +
      policy('no', [rule('paths: [/b]')], 'action: DENY,');
    expect(used(yaml, ['GET /a', 'GET /b', 'GET /c'])).toEqual({
      ...none,
      standings: ['allowed', 'denied', 'not-allowed'],
      unseen: ['shop/far rules[0]'],
    });
  });

  test('may be those that ask for hosts or headers: nobody can tell', () => {
    const header = '{ when: [{ key: "request.headers[x-env]", values: [a] }], to: [{ operation: { paths: [/b] } }] }';
    const yaml =
      policy('a', [rule('paths: [/a]'), header, rule('hosts: [prices.test], paths: [/c]')]) +
      policy('no', [rule('notHosts: [prices.test]')], 'action: DENY,');
    expect(used(yaml, ['GET /a', 'GET /b', 'GET /c', 'GET /d'])).toEqual({
      ...none,
      standings: ['allowed', 'perhaps', 'perhaps', 'not-allowed'],
      untold: ['shop/a rules[1]', 'shop/a rules[2]'],
    });
  });

  test('of a path with parameters are both that admit it', () => {
    const yaml = policy('a', [rule("paths: ['/a;v=1']"), rule('paths: [/a]'), rule('paths: [/b]')]);
    expect(used(yaml, ['GET /a;v=1'])).toMatchObject({ standings: ['allowed'], unused: ['shop/a rules[2]'] });
  });

  test('none is, where everybody is let in; one that nobody can tell of still shuts others out', () => {
    expect(used(mesh, ['GET /a'])).toEqual({ ...none, standings: ['allowed'] });
    const byHost = policy('a', [rule('hosts: [prices.test], paths: [/c]')]);
    expect(used(`${byHost}${mesh}`, ['GET /a', 'GET /c']).standings).toEqual(['not-allowed', 'perhaps']);
    const onTrial = policy('a', [`{ dryRun: true, to: [{ operation: { paths: [/c] } }] }`]);
    expect(used(`${onTrial}${mesh}`, ['GET /a']).standings).toEqual(['allowed']);
  });

  test('nobody can tell of those that ask for a token or a scope, which DENY rules do not', () => {
    const scopes =
      'apiVersion: eastwest.dev/v1\nkind: ScopeTemplates\nmetadata: { name: scopes, namespace: shop }\n' +
      'spec: { scopes: [{ scope: a.read, method: GET, path: /a }] }\n---\n';
    const byToken = '{ from: [{ source: { requestPrincipals: ["*"] } }], to: [{ operation: { paths: [/b] } }] }';
    const yaml = scopes + policy('a', [rule('scopes: [a.read]'), byToken]);
    const standings = ['perhaps', 'perhaps', 'not-allowed'];
    const untold = ['shop/a rules[0]', 'shop/a rules[1]'];
    expect(used(yaml, ['GET /a', 'GET /b', 'GET /c'])).toMatchObject({ standings, untold });
    const denied = yaml + policy('d', [rule('scopes: [a.read]')]).replace('spec: {', 'spec: { action: DENY,');
    expect(denied).toContain('DENY');
    expect(used(denied, ['GET /a']).standings).toEqual(['denied']);
  });

  test('cannot be found where no agent would load the policies', () => {
    expect(used(policy('a', [rule('scopes: [a.read]')]), ['GET /a']).standings).toEqual([
      [
        {
          kind: 'AuthorizationPolicy',
          policy: 'shop/a',
          path: expect.any(String),
          problem: expect.stringContaining('a.read'),
        },
      ],
    ]);
  });

  test('are none for callers of another trust domain, unless it is named in full (A44)', () => {
    const yaml =
      policy('a', [rule('paths: [/a]')]) +
      policy('b', ['{ from: [{ source: { principals: [far.test/ns/shop/sa/cart] } }] }']);
    const use = new PolicyUse(policiesOf(yaml));
    const far = { principal: spiffeId('spiffe://far.test/ns/shop/sa/cart') };
    const [own, other] = observedCalls(['GET /a']).flatMap((call) => [call, { ...call, ...far }]);
    expect([use.note(own!), use.use(undefined).unused]).toEqual([{ ok: true, value: 'allowed' }, ['shop/b rules[0]']]);
    expect([use.note(other!), use.use(undefined).unused]).toEqual([{ ok: true, value: 'allowed' }, []]);
  });

  test('of one workload alone are told where that is asked', () => {
    const use = new PolicyUse(
      policiesOf(
        policy('own', [rule('paths: [/x]')], 'selector: { matchLabels: { app: prices } },') +
          policy('far', [rule('paths: [/x]')], 'selector: { matchLabels: { app: far } },'),
      ),
    );
    for (const call of observedCalls(['GET /a'])) use.note(call);
    expect(use.use({ namespace: 'shop', name: 'prices' })).toEqual({ ...none, unused: ['shop/own rules[0]'] });
  });
});
