import { describe, expect, test } from 'vitest';
import { explanationText } from '#policy/explain-text.ts';
import { explain } from '#policy/explain.ts';
import type { WorkloadFacts } from '#policy/model.ts';
import { callOf, cart, documentsOf, explained, fromCart, fromWeb, gets, policy } from '#support/asked-policies.ts';
import { payments } from '#support/random-policies.ts';

describe('an explanation', () => {
  test('names the first field that failed, of every alternative, and what was asked for', () => {
    const spec = `rules: [{ to: [{ operation: { methods: [PUT], paths: [/x] } }, { operation: { paths: ["/y/{*}", "*/z"] } }] }]`;
    expect(explained(documentsOf(policy('p0', spec)), callOf()).policies[0]?.rules[0]?.failed).toEqual([
      { path: 'spec.rules[0].to[0].operation.methods', wants: 'one-of', values: ['PUT'], has: ['GET'] },
      { path: 'spec.rules[0].to[1].operation.paths', wants: 'one-of', values: ['/y/{*}', '*/z'], has: ['/prices/1'] },
    ]);
  });

  test.each([
    ['with its parameters, by the rule that the verdict names', "'/a;v=1/b'", '/a;v=1/b'],
    ['without them, where only that is refused', '/a/b', '/a/b'],
  ])('of a path with parameters is about it %s', (_, path, judgedPath) => {
    const denying = `action: DENY, rules: [{ to: [{ operation: { paths: [${path}] } }] }]`;
    const allowing = `rules: [{ to: [{ operation: { paths: ['/a;*', /x] } }] }, { to: [{ operation: { paths: [/a/*] } }] }]`;
    const explanation = explained(
      documentsOf(policy('p0', denying), policy('p1', allowing)),
      callOf({ request: 'GET /a;v=1/b' }),
    );
    expect(explanation).toMatchObject({
      judgedPath,
      decision: { reason: 'denied-by-rule', rule: 'shop/p0 rules[0]' },
      policies: [{ rules: [{ failed: [] }] }, {}],
    });
  });

  test('of a path with parameters that is refused both ways is about it as it came', () => {
    const denying = "action: DENY, rules: [{ to: [{ operation: { paths: ['/a;v=1/b'] } }] }]";
    expect(explained(documentsOf(policy('p0', denying)), callOf({ request: 'GET /a;v=1/b' }))).toMatchObject({
      judgedPath: '/a;v=1/b',
      policies: [{ rules: [{ failed: [] }] }],
    });
  });

  test('says which policies were not asked, and why', () => {
    const documents = documentsOf(
      policy('p0', 'rules: []', 'namespace: blue'),
      policy('p1', 'rules: []').replace('app: payments', 'app: orders'),
    );
    expect(explained(documents, callOf())).toMatchObject({
      policies: [],
      notSelected: [
        { policy: 'blue/p0', why: 'other namespace' },
        { policy: 'shop/p1', why: 'other labels' },
      ],
    });
  });

  test('is a deny where a deny list names the caller, and its rules are told all the same', () => {
    const denyList = `apiVersion: eastwest.dev/v1
kind: DenyList
metadata: { name: lost, namespace: shop }
spec: { entries: [{ spiffeId: "spiffe://${cart}", reason: laptop stolen }] }
`;
    const explanation = explained(documentsOf(policy('p0', `rules: [{ ${fromCart} }]`), denyList), callOf());
    expect(explanation).toMatchObject({ verdict: 'deny', decision: { allow: true }, suggestion: undefined });
    expect(explanationText(explanation)).toContain(
      'why   the deny list shop/lost shuts the caller out, whatever rules say: laptop stolen',
    );
    const mend = 'Only without the deny list is it allowed: take the entry out of shop/lost, or let it expire.\n';
    expect(explanationText(explanation).endsWith(`\n\n${mend}`)).toBe(true);
    const twice = explanationText(explained(documentsOf(policy('p0', 'rules: []'), denyList), callOf()));
    expect(twice, 'one edit alone would not do').toContain(`${mend}\nThe smallest edit that allows it then:\n`);
  });

  test('tells dry runs and AUDIT as what they are', () => {
    const trial = policy('trial', `rules: [{ ${fromCart}, dryRun: true }]`).replace(
      'security.istio.io',
      'eastwest.dev',
    );
    const text = explanationText(explained(documentsOf(trial, policy('note', 'action: AUDIT, rules: [{}]')), callOf()));
    expect(text).toContain('    rules[0] (dry run, counts for nothing): matches\n');
    expect(text).toContain('  AUDIT shop/note (is noted, decides nothing)\n');
    expect(text).toContain('Dry run: shop/trial rules[0] would-allow it, counts for nothing.\n');
  });

  test('says whom an ALLOW policy on trial would shut out where everybody is let in', () => {
    const mesh =
      'apiVersion: eastwest.dev/v1\nkind: MeshPolicy\nmetadata: { name: mesh }\nspec: { defaultAction: allow }\n';
    const trial = policy('trial', `rules: [{ ${fromWeb}, dryRun: true }]`).replace('security.istio.io', 'eastwest.dev');
    const text = explanationText(explained(documentsOf(mesh, trial), callOf()));
    expect(text).toContain('why   istio-system/mesh defaultAction allows it\n');
    expect(text).toContain('Dry run: shop/trial would-deny it, for none of its rules matches; counts for nothing.\n');
  });

  test('says what nobody could tell of an opaque call', () => {
    const spec = 'action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }]';
    const explanation = explained(documentsOf(policy('p0', spec)), callOf({ request: '' }));
    expect(explanation.decision).toMatchObject({ reason: 'denied-by-rule' });
    expect(explanationText(explanation)).toContain(
      'spec.rules[0].to[0].operation.paths cannot be told of an opaque call, and counts as met\n',
    );
  });

  test('of 10,000 rules shows a screenful', () => {
    const rules = Array.from({ length: 10_000 }, (_, i) => `{ to: [{ operation: { paths: [/p${i}] } }] }`);
    const text = explanationText(explained(documentsOf(policy('p0', `rules: [${rules.join(',')}]`)), callOf()));
    expect(text.split('\n').length).toBeLessThan(150);
    expect(text).toContain('    and 9980 more that do not match (--json has all of them)\n');
  });

  test('refuses what an agent would not load', () => {
    const documents = documentsOf(policy('p0', `rules: [{ ${gets} }]`));
    const facts: WorkloadFacts = { ...payments, ports: new Map([[5432, 'tcp']]) };
    expect(explain(documents, facts, callOf())).toMatchObject({ ok: false });
  });
});
