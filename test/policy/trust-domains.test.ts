import { describe, expect, test } from 'vitest';
import { explanationText } from '#policy/explain-text.ts';
import { explain } from '#policy/explain.ts';
import { localPolicy } from '#policy/local-policy.ts';
import { compilePolicies } from '#policy/compile.ts';
import { compiledPolicy, policiesOf, pricesWorkload, spiffeId, verdictOn } from '#support/policies.ts';

const own = 'shop/cart';
const foreign = 'spiffe://far.example/ns/shop/sa/cart';
const lookalike = 'spiffe://prod.example.far/ns/shop/sa/cart';

const policy = (action: string, rule: string, kind = 'security.istio.io/v1') => `
apiVersion: ${kind}
kind: AuthorizationPolicy
metadata: { name: p, namespace: shop }
spec: { action: ${action}, rules: [${rule}] }
`;
const everybody = policy(
  'ALLOW',
  "{ from: [{ source: { principals: ['far.example/*', 'prod.example/*'] } }] }",
).replace('name: p', 'name: everybody');
const from = (fields: string): string => `{ from: [{ source: { ${fields} } }] }`;
const when = (key: string, fields: string): string => `{ when: [{ key: ${key}, ${fields} }] }`;

describe('a caller of another trust domain (A44)', () => {
  test.each([
    ['a rule for anyone', '{}', 'refused'],
    ['a rule about paths alone', '{ to: [{ operation: { paths: [/a] } }] }', 'refused'],
    ['any principal', from("principals: ['*']"), 'refused'],
    ['the end of a name', from("principals: ['*/sa/cart']"), 'refused'],
    ['the end of a name that looks like all of it', from("principals: ['*far.example/ns/shop/sa/cart']"), 'refused'],
    ['a namespace', from('namespaces: [shop]'), 'refused'],
    ['any namespace', from("namespaces: ['*']"), 'refused'],
    ['all but another one', from('notPrincipals: [prod.example/ns/shop/sa/web]'), 'refused'],
    ['all but a namespace', from('notNamespaces: [web]'), 'refused'],
    ['the same name here', from('principals: [prod.example/ns/shop/sa/cart]'), 'refused'],
    ['everybody here', from("principals: ['prod.example/*']"), 'refused'],
    ['a condition on a namespace', when('source.namespace', 'values: [shop]'), 'refused'],
    ['a condition on the end of a name', when('source.principal', "values: ['*/cart']"), 'refused'],
    ['a condition on all but a name', when('source.principal', "notValues: ['x.example/*']"), 'refused'],
    ['another service account of its domain', from("principals: ['*', far.example/ns/shop/sa/web]"), 'refused'],
    ['its name in full', from('principals: [far.example/ns/shop/sa/cart]'), 'allowed'],
    ['its trust domain', from("principals: ['far.example/*']"), 'allowed'],
    ['its trust domain, by a condition', when('source.principal', "values: ['far.example/*']"), 'allowed'],
    ['its trust domain and namespace', from("principals: ['far.example/*'], namespaces: [shop]"), 'allowed'],
    ['its trust domain and another namespace', from("principals: ['far.example/*'], namespaces: [web]"), 'refused'],
    ['its trust domain without a namespace', from("principals: ['far.example/*'], notNamespaces: [shop]"), 'refused'],
    ['its trust domain without carts', from("principals: ['far.example/*'], notPrincipals: ['*/cart']"), 'refused'],
  ])('is admitted by %s: %s is %s', (_what, rule, expected) => {
    const compiled = compiledPolicy(policy('ALLOW', rule));
    expect(verdictOn(compiled, { from: foreign, asks: 'GET /a' })).toBe(expected);
    expect(verdictOn(compiled, { from: lookalike, asks: 'GET /a' })).toBe('refused');
  });

  test.each([
    ['a rule for anyone', '{}', 'denied'],
    ['any principal', from("principals: ['*']"), 'denied'],
    ['the end of a name', from("principals: ['*/sa/cart']"), 'denied'],
    ['a namespace', from('namespaces: [shop]'), 'denied'],
    ['a condition on a namespace', when('source.namespace', 'values: [shop]'), 'denied'],
    ['its name in full', from('principals: [far.example/ns/shop/sa/cart]'), 'denied'],
    ['the same name here', from('principals: [prod.example/ns/shop/sa/cart]'), 'allowed'],
    ['all but the end of its name', from("notPrincipals: ['*/sa/cart']"), 'denied'],
    ['all but any principal', from("notPrincipals: ['*']"), 'denied'],
    ['all but its namespace', from('notNamespaces: [shop]'), 'denied'],
    ['all but our own', from("notPrincipals: ['prod.example/*']"), 'denied'],
    ['all but its name in full', from('notPrincipals: [far.example/ns/shop/sa/cart]'), 'allowed'],
    ['all but its trust domain', from("notPrincipals: ['far.example/*']"), 'allowed'],
    ['all but the end of its name, by a condition', when('source.principal', "notValues: ['*/cart']"), 'denied'],
    ['all but its trust domain, by a condition', when('source.principal', "notValues: ['far.example/*']"), 'allowed'],
    ['all but its namespace, by a condition', when('source.namespace', 'notValues: [shop]'), 'denied'],
    ['its domain but its namespace', from("principals: ['far.example/*'], notNamespaces: [shop]"), 'allowed'],
    ['its domain but carts', from("principals: ['far.example/*'], notPrincipals: ['*/sa/cart']"), 'allowed'],
  ])('is denied by %s: %s is %s', (_what, rule, expected) => {
    const compiled = compiledPolicy(`${policy('DENY', rule)}---${everybody}`);
    expect(verdictOn(compiled, { from: foreign, asks: 'GET /a' })).toBe(expected);
  });

  test('changes nothing for callers of the own trust domain, nor for those without an identity', () => {
    const rule = (action: string, fields: string) => compiledPolicy(`${policy(action, fields)}---${everybody}`);
    const by = (fields: string) => compiledPolicy(policy('ALLOW', fields));
    expect(verdictOn(by(from("principals: ['*/sa/cart']")), { from: own, asks: 'GET /a' })).toBe('allowed');
    expect(verdictOn(by(from('namespaces: [shop]')), { from: own, asks: 'GET /a' })).toBe('allowed');
    expect(verdictOn(by('{}'), { from: own, asks: 'GET /a' })).toBe('allowed');
    expect(verdictOn(by('{}'), { from: '-', asks: 'GET /a' })).toBe('allowed');
    expect(verdictOn(rule('DENY', from('notNamespaces: [shop]')), { from: own, asks: 'GET /a' })).toBe('allowed');
    expect(verdictOn(rule('DENY', from("notPrincipals: ['*/cart']")), { from: own, asks: 'GET /a' })).toBe('allowed');
  });

  test('is not let in by what lets in all others: allow: all, a default, any-peer', () => {
    const all = policy('ALLOW', '', 'eastwest.dev/v1').replace('rules: []', 'allow: all');
    expect(verdictOn(compiledPolicy(all), { from: own, asks: 'GET /a' })).toBe('allowed');
    expect(verdictOn(compiledPolicy(all), { from: foreign, asks: 'GET /a' })).toBe('refused');

    const open = compiledPolicy(meshDefault);
    expect(verdictOn(open, { from: own, asks: 'GET /a' })).toBe('allowed');
    expect(verdictOn(open, { from: foreign, asks: 'GET /a' })).toBe('refused');

    const anyPeer = compilePolicies([localPolicy([{ port: 8080, allow: 'any-peer' }])], pricesWorkload);
    if (!anyPeer.ok) throw new Error('does not compile');
    expect(verdictOn(anyPeer.value, { from: own, asks: 'tcp' })).toBe('allowed');
    expect(verdictOn(anyPeer.value, { from: foreign, asks: 'tcp' })).toBe('refused');
  });

  test('is told why: no principal names its trust domain, and what would', () => {
    const told = explained(policy('ALLOW', from("namespaces: [shop], notPrincipals: ['*/sa/web']")));
    expect(told).toContain(
      [
        '      spec.rules[0].from[0].source of the trust domain, which no principal there names in full',
        '        wants prod.example',
        '        has   far.example',
      ].join('\n'),
    );
    expect(told).toContain('principals:\n          - far.example/ns/shop/sa/cart');
    expect(explained(policy('ALLOW', '{}'))).toContain('spec.rules[0].from of the trust domain, which no principal');
    expect(explained(meshDefault)).toContain("defaultAction is for callers of the workload's trust domain alone");
    expect(explained(meshDefault)).toContain('would replace the default by which others are let in');
  });

  test('is added to a list of names where there is one, not to one of namespaces', () => {
    const byStar = explained(policy('ALLOW', from("principals: ['*/sa/cart'], namespaces: [shop]")));
    expect(byStar).toContain('add to the list spec.rules[0].from[0].source.principals');
    const byNamespace = explained(policy('ALLOW', from('namespaces: [shop]')));
    expect(byNamespace).toContain('add to the list spec.rules[0].from:');
  });
});

const meshDefault = `
apiVersion: eastwest.dev/v1
kind: MeshPolicy
metadata: { name: mesh }
spec: { defaultAction: allow }
`;

/** What is said of the foreign caller's GET /a. */
function explained(yaml: string): string {
  const http = { method: 'GET', path: '/a', host: 'prices', header: () => [] };
  const told = explain(policiesOf(yaml), pricesWorkload, { principal: spiffeId(foreign), port: 8080, http });
  if (!told.ok) throw new Error(JSON.stringify(told.reason));
  return explanationText(told.value);
}
