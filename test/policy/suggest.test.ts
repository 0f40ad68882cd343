import { describe, expect, test } from 'vitest';
import { applyEdits, type PolicyEdit } from '#policy/edits.ts';
import { explanationText } from '#policy/explain-text.ts';
import type { Explanation } from '#policy/explain.ts';
import {
  callOf,
  cart,
  documentsOf,
  explained,
  fromCart,
  fromWeb,
  gets,
  policy,
  type Asked,
} from '#support/asked-policies.ts';

/** `add-value spec.rules[0].…principals: a.test/…` each, or why there is none. */
function editsOf({ suggestion }: Explanation): readonly string[] | string | undefined {
  if (suggestion?.possible !== true) return suggestion?.why;
  return suggestion.edits.map((edit: PolicyEdit) => {
    const at = edit.kind === 'add-policy' ? edit.policy : edit.path.replace(/^spec\.rules/, '');
    return `${edit.kind} ${at}${typeof edit.value === 'object' ? '' : ` ${edit.value}`}`;
  });
}

describe('the smallest edit (M8)', () => {
  test.each<[reason: string, specs: readonly string[], asked: Asked, edits: readonly string[] | string]>([
    ['names the caller', [`rules: [{ ${fromWeb}, ${gets} }]`], {}, [`add-value [0].from[0].source.principals ${cart}`]],
    [
      'names the path',
      [`rules: [{ ${fromCart}, ${gets} }]`],
      { request: 'GET /x' },
      ['add-value [0].to[0].operation.paths /x'],
    ],
    [
      'names the method',
      [`rules: [{ ${fromCart}, ${gets} }]`],
      { request: 'PUT /prices/1' },
      ['add-value [0].to[0].operation.methods PUT'],
    ],
    [
      'names the port',
      [`rules: [{ ${fromCart}, to: [{ operation: { ports: [80] } }] }]`],
      {},
      ['add-value [0].to[0].operation.ports 8080'],
    ],
    [
      'names the host',
      [`rules: [{ ${fromCart}, to: [{ operation: { hosts: [other] } }] }]`],
      {},
      ['add-value [0].to[0].operation.hosts payments'],
    ],
    [
      'names the value of a header',
      [`rules: [{ ${fromCart}, when: [{ key: "request.headers[x-env]", values: [prod] }] }]`],
      { headers: { 'x-env': ['test'] } },
      ['add-value [0].when[0].values test'],
    ],
    [
      'takes an exact value out of an exception',
      [`rules: [{ ${fromCart}, to: [{ operation: { notPaths: [/a, /b] } }] }]`],
      { request: 'GET /a' },
      ['remove-value [0].to[0].operation.notPaths /a'],
    ],
    [
      'leaves an exception that is a pattern alone: it keeps out more than this',
      [`rules: [{ ${fromCart}, to: [{ operation: { notPaths: [/a*, /b] } }] }]`],
      { request: 'GET /a' },
      ['add-operation [0].to'],
    ],
    [
      'leaves the only exception alone: without it there would be none',
      [`rules: [{ ${fromCart}, to: [{ operation: { notPaths: [/a] } }] }]`],
      { request: 'GET /a' },
      ['add-operation [0].to'],
    ],
    [
      'adds no second method to paths that it would open as well',
      [`rules: [{ ${fromCart}, ${gets} }]`],
      { request: 'PUT /x' },
      ['add-operation [0].to'],
    ],
    [
      'names no namespace: others live there',
      [`rules: [{ from: [{ source: { namespaces: [db] } }], ${gets} }]`],
      {},
      ['add-source [0].from'],
    ],
    [
      'opens no path to those whom a pattern admits',
      [`rules: [{ from: [{ source: { principals: [a.test/*] } }], ${gets} }]`],
      { request: 'GET /x' },
      ['add-policy shop/payments-allow-cart'],
    ],
    [
      'opens no path to anyone',
      [`rules: [{ ${gets} }]`],
      { request: 'GET /x' },
      ['add-policy shop/payments-allow-cart'],
    ],
    ['is a policy where there is none', ['action: AUDIT, rules: [{}]'], {}, ['add-policy shop/payments-allow-cart']],
    [
      'prefers the rule by which the caller gets less',
      [`rules: [{ ${fromWeb} }, { ${fromWeb}, ${gets} }]`],
      {},
      [`add-value [1].from[0].source.principals ${cart}`],
    ],
    [
      'exempts the caller from a source that denies it',
      [`rules: [{ ${fromCart} }]`, `action: DENY, rules: [{ from: [{ source: { namespaces: [shop] } }] }]`],
      {},
      [`add-value [0].from[0].source.notPrincipals ${cart}`],
    ],
    [
      'exempts the caller from what denies anyone, and then lets it in',
      [`rules: [{ ${fromWeb} }]`, 'action: DENY, rules: [{ to: [{ operation: { methods: [GET] } }] }]'],
      {},
      ['add-source [0].from', `add-value [0].from[0].source.principals ${cart}`],
    ],
    [
      'widens no condition to a namespace',
      [`rules: [{ ${fromCart}, when: [{ key: source.namespace, values: [db] }] }]`],
      {},
      ['add-policy shop/payments-allow-cart'],
    ],
    ['is none for a caller who proved nothing', [`rules: [{ ${fromWeb} }]`], { from: '' }, 'caller-without-identity'],
    [
      'is none for a path that reads as a pattern',
      [`rules: [{ ${fromCart}, ${gets} }]`],
      { request: 'GET /a*' },
      'no-exact-value',
    ],
    [
      'lets a path in with its parameters and without them',
      [`rules: [{ ${fromCart}, to: [{ operation: { paths: [/x] } }] }]`],
      { request: 'GET /a;v=1/b' },
      ['add-value [0].to[0].operation.paths /a/b', 'add-value [0].to[0].operation.paths /a;v=1/b'],
    ],
    ['of an opaque call names its port', ['rules: []'], { request: '' }, ['add-policy shop/payments-allow-cart']],
  ])('%s', (_, specs, asked, edits) => {
    const documents = documentsOf(...specs.map((spec, index) => policy(`p${index}`, spec)));
    const call = callOf(asked);
    const explanation = explained(documents, call);
    expect(explanation.verdict).toBe('deny');
    expect(editsOf(explanation)).toEqual(edits);
    if (explanation.suggestion?.possible !== true) return;
    expect(explained(applyEdits(documents, explanation.suggestion.edits), call).verdict).toBe('allow');
  });

  test('tells whom else the edited rule names', () => {
    const both = `from: [{ source: { principals: [${cart}, a.test/ns/shop/sa/web] } }]`;
    const explanation = explained(
      documentsOf(policy('p0', `rules: [{ ${both}, ${gets} }]`)),
      callOf({ request: 'GET /x' }),
    );
    expect(explanation.suggestion).toMatchObject({ possible: true, alsoFor: ['a.test/ns/shop/sa/web'] });
    expect(explanationText(explanation)).toMatch(/The rule names\sa\.test\/ns\/shop\/sa\/web too: they get the same\./);
  });

  test('leaves a DENY rule on trial alone', () => {
    const trial = policy('trial', `action: DENY, rules: [{ ${fromCart}, dryRun: true }]`);
    const documents = documentsOf(
      trial.replace('security.istio.io', 'eastwest.dev'),
      policy('p0', `rules: [{ ${fromWeb} }]`),
    );
    expect(editsOf(explained(documents, callOf()))).toEqual([`add-value [0].from[0].source.principals ${cart}`]);
  });

  test('takes a name that is free', () => {
    const documents = documentsOf(policy('payments-allow-cart', 'action: DENY, rules: []'));
    expect(editsOf(explained(documents, callOf()))).toEqual(['add-policy shop/payments-allow-cart-2']);
  });

  test.each([
    ['a policy that is not there', { kind: 'remove-value', policy: 'shop/p1', path: 'spec.rules[0].to', value: '/x' }],
    ['a rule that is not there', { kind: 'remove-value', policy: 'shop/p0', path: 'spec.rules[7].to', value: '/x' }],
  ] as const)('is not applied to %s', (_, edit) => {
    expect(() => applyEdits(documentsOf(policy('p0', `rules: [{ ${gets} }]`)), [edit])).toThrow(/there is no|has no/);
  });
});
