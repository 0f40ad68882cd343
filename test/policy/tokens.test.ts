import { describe, expect, test } from 'vitest';
import { deniedBy, isForScopeAlone, tokenDeniedBy } from '#policy/decide.ts';
import { explanationText } from '#policy/explain-text.ts';
import { explain } from '#policy/explain.ts';
import type { Call, CallToken } from '#policy/model.ts';
import { callToken, compiledPolicy, policiesOf, pricesWorkload, spiffeId, verdictOn } from '#support/policies.ts';

const istio = (spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: a, namespace: shop }\nspec: ${spec}\n---\n`;
const ours = (spec: string): string => istio(spec).replace('security.istio.io/v1', 'eastwest.dev/v1');
const verdict = (yaml: string, token: CallToken | undefined, asks = 'GET /') =>
  verdictOn(compiledPolicy(yaml), { from: 'shop/cart', asks, token });

const claims = new Map<string, unknown>([
  ['scope', 'prices.read prices.list'],
  ['email', 'ann@login.example'],
  ['roles', 'editor admin'],
  ['groups', ['ops', 7]],
  ['level', 7],
  ['realm_access', new Map([['roles', ['viewer']]])],
]);
const user = callToken({ authorizedParty: 'web-app', roles: ['premium'], scopes: ['prices.read'], claims });

describe('rules about the token, as Istio has them', () => {
  const from = (source: string) => `rules: [{ from: [{ source: { ${source} } }] }]`;
  const when = (key: string, rest: string) => `rules: [{ when: [{ key: "${key}", ${rest} }] }]`;
  test.each<[rule: string, ofUser: boolean]>([
    [from('requestPrincipals: ["https://login.example/4711"]'), true],
    [from('requestPrincipals: ["https://login.example/*"]'), true],
    [from('requestPrincipals: ["*/4711"]'), true],
    [from('requestPrincipals: ["*"]'), true],
    [from('requestPrincipals: ["https://login.example/4712"]'), false],
    [from('requestPrincipals: ["*"], notRequestPrincipals: ["https://login.example/4711"]'), false],
    [from('notRequestPrincipals: ["https://login.example/4712"]'), true],
    [from('principals: [prod.example/ns/shop/sa/web], requestPrincipals: ["*"]'), false],
    [when('request.auth.principal', 'values: ["https://login.example/4711"]'), true],
    [when('request.auth.principal', 'notValues: ["*"]'), false],
    [when('request.auth.audiences', 'values: [prices]'), true],
    [when('request.auth.audiences', 'values: [orders]'), false],
    [when('request.auth.presenter', 'values: [web-app]'), true],
    [when('request.auth.presenter', 'values: [other]'), false],
    [when('request.auth.claims[scope]', 'values: [prices.list]'), true],
    [when('request.auth.claims[scope]', 'values: ["prices.read prices.list"]'), false],
    [when('request.auth.claims[scope]', 'notValues: [prices.list]'), false],
    [when('request.auth.claims[email]', 'values: ["*@login.example"]'), true],
    [when('request.auth.claims[roles]', 'values: [admin]'), false],
    [when('request.auth.claims[roles]', 'values: ["editor admin"]'), true],
    [when('request.auth.claims[groups]', 'values: [ops]'), true],
    [when('request.auth.claims[level]', 'values: ["7"]'), false],
    [when('request.auth.claims[realm_access][roles]', 'values: [viewer]'), true],
    [when('request.auth.claims[realm_access]', 'values: ["*"]'), false],
    [when('request.auth.claims[missing]', 'values: ["*"]'), false],
    [when('request.auth.claims[missing]', 'notValues: [a]'), true],
  ])('%s', (rule, ofUser) => {
    expect(verdict(istio(`{ ${rule} }`), user)).toBe(ofUser ? 'allowed' : 'refused');
    const denies = istio(`{ action: DENY, ${rule} }`) + ours('{ allow: all }').replace('name: a', 'name: all');
    expect(verdict(denies, user)).toBe(ofUser ? 'denied' : 'allowed');
    const isOfOthers = rule.includes('sa/web'); // whatever the token says, the rule is about somebody else
    for (const [token, asks] of [
      [undefined, 'GET /'],
      [user, 'tcp'],
    ] as const) {
      expect(verdict(istio(`{ ${rule} }`), token, asks), 'admits nobody without a token').toBe('refused');
      expect(verdict(denies, token, asks), 'refuses in doubt').toBe(isOfOthers ? 'allowed' : 'denied');
    }
  });

  test('S84: roles decide, in our dialect', () => {
    const premium = ours('{ rules: [{ from: [{ source: { roles: [premium], notRoles: [banned] } }] }] }');
    expect(verdict(premium, user)).toBe('allowed');
    expect(verdict(premium, callToken({ roles: ['premium', 'banned'] }))).toBe('refused');
    expect(verdict(premium, callToken())).toBe('refused');
    expect(verdict(premium, undefined)).toBe('refused');
  });

  test('what a TCP port can never tell is not loaded for it', () => {
    const ports = new Map([[5432, 'tcp'] as const]);
    for (const spec of [
      '{ rules: [{ from: [{ source: { requestPrincipals: ["*"] } }] }] }',
      '{ rules: [{ when: [{ key: request.auth.principal, values: [a] }] }] }',
    ]) {
      expect(() => compiledPolicy(istio(spec), { ...pricesWorkload, ports })).toThrow('cannot be judged on port 5432');
    }
  });
});

describe('scopes by verb and path', () => {
  const scopes = `apiVersion: eastwest.dev/v1
kind: ScopeTemplates
metadata: { name: scopes, namespace: shop }
spec:
  scopes:
    - { scope: prices.read, method: GET, path: "/prices/{id}" }
    - { scope: prices.write, method: PUT, path: "/prices/{id}" }
---
`;
  const both = 'rules: [{ to: [{ operation: { scopes: [prices.read, prices.write] } }] }]';
  const allows = scopes + ours(`{ ${both} }`);

  test.each([
    ['GET /prices/1', ['prices.read'], 'allowed'],
    ['PUT /prices/1', ['prices.read'], 'refused'],
    ['PUT /prices/1', ['prices.write'], 'allowed'],
    ['GET /prices/1', ['prices.write'], 'refused'],
    ['GET /prices/1', [], 'refused'],
    ['GET /prices/1', ['prices.rea', 'prices.read.all'], 'refused'],
    ['DELETE /prices/1', ['prices.read', 'prices.write'], 'refused'],
  ])('S82: %s with %j is %s', (asks, granted, expected) => {
    expect(verdict(allows, callToken({ scopes: granted }), asks)).toBe(expected);
    const call = callOf(asks, callToken({ scopes: granted }));
    const isScope = expected === 'refused' && !asks.startsWith('DELETE');
    expect(isForScopeAlone(compiledPolicy(allows), call)).toBe(isScope || expected === 'allowed');
  });

  test('what refuses by a scope does not ask whether the token has it', () => {
    const denies = scopes + ours(`{ action: DENY, ${both} }`) + ours('{ allow: all }').replace('name: a', 'name: all');
    for (const token of [undefined, callToken(), callToken({ scopes: ['prices.write'] })]) {
      expect(verdict(denies, token, 'PUT /prices/1')).toBe('denied');
      expect(verdict(denies, token, 'DELETE /prices/1')).toBe('allowed');
    }
  });

  test('an explanation tells what the token has, and no edit does away with the demand', () => {
    const explained = explain(policiesOf(allows), pricesWorkload, callOf('PUT /prices/1', user));
    if (!explained.ok) throw new Error(JSON.stringify(explained.reason));
    expect(explained.value.suggestion).toEqual({ possible: false, why: 'another-token' });
    const text = explanationText(explained.value);
    expect(text).toContain('has   PUT /prices/1, a token with prices.read');
    expect(text.replaceAll(/\s+/g, ' ')).toContain('the caller needs one with what they name');
    const without = explain(
      policiesOf(istio('{ action: DENY, rules: [{ from: [{ source: { notRequestPrincipals: ["*"] } }] }] }')),
      pricesWorkload,
      callOf('GET /', undefined),
    );
    expect(without.ok && without.value.policies[0]?.rules[0]?.untold).toEqual([
      'spec.rules[0].from[0].source.notRequestPrincipals',
    ]);
    const lines = without.ok ? explanationText(without.value) : '';
    expect(lines.replaceAll(/\s+/g, ' ')).toContain('cannot be told of the token, and counts as met');
  });
});

const callOf = (asks: string, token: CallToken | undefined): Call => {
  const [method = '', path = ''] = asks.split(' ');
  const http = { method, path, host: 'prices', header: () => [], token };
  return { principal: spiffeId('spiffe://prod.example/ns/shop/sa/cart'), port: 8080, http };
};

describe('deny lists of tokens (S85)', () => {
  const list = (entries: string) =>
    compiledPolicy(
      `apiVersion: eastwest.dev/v1\nkind: DenyList\nmetadata: { name: a, namespace: shop }\nspec: { entries: [${entries}] }`,
    );
  const token = callToken({ authorizedParty: 'azp', actors: [{ subject: 'actor' }], subject: 'Ünal' });

  test.each<[entry: string, isDenied: boolean]>([
    ['jti: t1', true],
    ['jti: T1', false],
    ['kid: k1', true],
    ['client: app', true],
    ['client: azp', true],
    ['client: actor', true],
    ['client: App', false],
    ['user: Ünal', true],
    ['user: ünal', false],
    ['user: Ünаl', false],
    ['user: actor', false],
    ['user: Ünal, issuer: https://login.example', true],
    ['user: Ünal, issuer: https://other.example', false],
    ['jti: t1, expiresAt: "2026-01-01T00:00:00Z"', false],
  ])('A71: { %s }: %s', (entry, isDenied) => {
    const nowMs = Date.UTC(2026, 5, 1);
    const policy = list(`{ ${entry}, reason: lost }`);
    expect(tokenDeniedBy(policy, token, nowMs)?.reason).toBe(isDenied ? 'lost' : undefined);
    const decomposed = { ...token, subject: token.subject.normalize('NFD') };
    expect(tokenDeniedBy(policy, decomposed, nowMs)?.reason).toBe(isDenied ? 'lost' : undefined);
    const proof = { spiffeId: spiffeId('spiffe://prod.example/t1'), serial: '1', keyThumbprint: 'k1' };
    expect(deniedBy(policy, proof, nowMs), 'names of tokens are none of callers').toBeUndefined();
  });

  test.each([
    ['{ jti: a, user: b, reason: c }', 'write exactly one of'],
    ['{ serial: "1", issuer: a, reason: c }', 'is about tokens'],
    [`{ user: "${'Ü'.normalize('NFD')}nal", reason: c }`, 'is not in NFC'],
    ['{ jti: "", reason: c }', 'is no name'],
  ])('%s is refused', (entry, problem) => {
    expect(() => list(entry)).toThrow(problem);
  });
});
