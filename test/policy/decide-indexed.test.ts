import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSpiffeId } from '#certs/spiffe-id.ts';
import { compilePolicies } from '#policy/compile.ts';
import { decide } from '#policy/decide.ts';
import { toPolicy } from '#policy/documents.ts';
import type { Call, PolicyDocument, WorkloadFacts } from '#policy/model.ts';
import { naiveDecide } from '#support/naive-policy.ts';

const workload: WorkloadFacts = {
  trustDomain: 'prod.example',
  namespace: 'shop',
  name: 'prices',
  labels: { app: 'prices' },
  ports: undefined,
};

const principals = [
  'prod.example/ns/shop/sa/cart',
  'spiffe://prod.example/ns/shop/sa/orders',
  'prod.example/ns/shop/*',
  'prod.example/*',
  '*/sa/cart',
  '*t',
  '*',
  'far.example/ns/shop/sa/cart',
  'far.example/*',
  'prod.example/vm/cart',
  '*/prod.example/ns/shop/sa/cart',
];
const namespaces = ['shop', 'sh*', '*op', '*', 'web'];
const commonPaths = [
  '/',
  '/a',
  '/a/',
  '/a/b',
  '/a;v=1',
  '/a/*',
  '/*',
  '*/b',
  '*.c',
  '*',
  '/a/{*}',
  '/{*}/b',
  '/{*}/{*}',
];
const morePaths = ['/a/{**}', '/a/{**}/b', '/{**}', '/a/{*}/', '/a/{*}/{**}/c', '/a/{**}/'];
const istioPaths = [...commonPaths, ...morePaths, '/a*', '/a/b*', '*b'];
const ownPaths = [...commonPaths, ...morePaths, '/a/{x}', '/a/{x}/*', '/{x}/b/{y}'];
const hosts = [
  'prices.example',
  '*.example',
  'prices.*',
  'prices.example:80',
  'prices.example:*',
  '*:80',
  '*',
  'x.example',
];
const methods = ['GET', 'POST', 'P*', '*T', '*', 'PURGE'];
const headerValues = ['a', 'b', 'a*', '*b', '*'];

const lists = (...of: readonly (readonly [name: string, texts: readonly (string | number)[]])[]) =>
  fc.record(
    Object.fromEntries(
      of.map(([name, texts]) => [name, fc.uniqueArray(fc.constantFrom(...texts), { minLength: 1, maxLength: 3 })]),
    ),
    { requiredKeys: [] },
  );
const filled = <T extends object>(arbitrary: fc.Arbitrary<T>) =>
  arbitrary.filter((value) => Object.keys(value).length > 0);

const source = filled(
  lists(
    ['principals', principals],
    ['notPrincipals', principals],
    ['namespaces', namespaces],
    ['notNamespaces', namespaces],
  ),
).map((value) => ({ source: value }));

const operation = (paths: readonly string[], scopes: readonly string[]) =>
  filled(
    lists(
      ['hosts', hosts],
      ['notHosts', hosts],
      ['ports', [80, '81']],
      ['notPorts', ['80', 82]],
      ['methods', methods],
      ['notMethods', methods],
      ['paths', paths],
      ['notPaths', paths],
      ...(scopes.length > 0 ? [['scopes', scopes] as const] : []),
    ),
  ).map((value) => ({ operation: value }));

const condition = fc
  .constantFrom<readonly [string, readonly string[]]>(
    ['source.principal', principals],
    ['source.namespace', namespaces],
    ['destination.port', ['80', '81']],
    ['request.headers[X-Tenant]', headerValues],
  )
  .chain(([key, texts]) => filled(lists(['values', texts], ['notValues', texts])).map((value) => ({ key, ...value })));

const rule = (paths: readonly string[], scopes: readonly string[]) =>
  filled(
    fc.record(
      {
        from: fc.array(source, { minLength: 1, maxLength: 2 }),
        to: fc.array(operation(paths, scopes), { minLength: 1, maxLength: 2 }),
        when: fc.array(condition, { minLength: 1, maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
  );

const place = {
  namespace: fc.constantFrom('shop', 'shop', 'istio-system', 'web'),
  selector: fc.constantFrom('none', 'own', 'other'),
};
const selectors = {
  none: {},
  own: { selector: { matchLabels: { app: 'prices' } } },
  other: { selector: { matchLabels: { app: 'cart' } } },
};

const istioPolicy = fc
  .record({
    ...place,
    action: fc.constantFrom('ALLOW', 'ALLOW', 'DENY', 'AUDIT'),
    rules: fc.array(
      fc.oneof({ weight: 9, arbitrary: rule(istioPaths, []) }, { weight: 1, arbitrary: fc.constant({}) }),
      { maxLength: 3 },
    ),
  })
  .map(({ namespace, selector, action, rules }) => ({
    apiVersion: 'security.istio.io/v1',
    metadata: { namespace },
    spec: { ...selectors[selector as keyof typeof selectors], action, rules },
  }));

const ownPolicy = fc
  .record({
    ...place,
    action: fc.constantFrom('ALLOW', 'DENY'),
    rules: fc.array(fc.tuple(rule(ownPaths, ['things.read', 'things.write']), fc.boolean()), { maxLength: 3 }),
  })
  .map(({ namespace, selector, action, rules }) => ({
    apiVersion: 'eastwest.dev/v1',
    metadata: { namespace },
    spec: {
      ...selectors[selector as keyof typeof selectors],
      action,
      rules: rules.map(([each, dryRun]) => ({ ...each, dryRun })),
    },
  }));

const scopes = policyOf({
  apiVersion: 'eastwest.dev/v1',
  kind: 'ScopeTemplates',
  metadata: { name: 'scopes', namespace: 'istio-system' },
  spec: {
    scopes: [
      { scope: 'things.read', method: 'GET', path: '/a/{thing}' },
      { scope: 'things.read', method: 'GET', path: '/a' },
      { scope: 'things.write', method: 'POST', path: '/a/{thing}/b' },
    ],
  },
});

const documents = fc
  .record({
    policies: fc.array(fc.oneof(istioPolicy, ownPolicy), { maxLength: 5 }),
    defaultAction: fc.constantFrom('deny', 'allow', 'none'),
  })
  .map(({ policies, defaultAction }): readonly PolicyDocument[] => [
    ...policies.map(({ metadata, ...policy }, index) =>
      policyOf({ ...policy, kind: 'AuthorizationPolicy', metadata: { ...metadata, name: `p${index}` } }),
    ),
    scopes,
    ...(defaultAction === 'none'
      ? []
      : [
          policyOf({
            apiVersion: 'eastwest.dev/v1',
            kind: 'MeshPolicy',
            metadata: { name: 'mesh' },
            spec: { defaultAction },
          }),
        ]),
  ]);

const http = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PATCH', 'get'),
  path: fc.constantFrom(
    '/',
    '/a',
    '/a/',
    '/a/b',
    '/ab',
    '/a/b/c',
    '/x/b',
    '/a;v=1',
    '/a/b;x',
    '/a/;x/b',
    '/a/x.c',
    '*',
    '/a/x/y/b',
    '/a/x/',
  ),
  host: fc.constantFrom('prices.example', 'PRICES.example:80', 'x.example:8080', 'prices.example:', 'other'),
  values: fc.constantFrom<readonly string[]>([], ['a'], ['b'], ['a', 'b'], ['']),
});

const call = fc
  .record({
    principal: fc.constantFrom(
      undefined,
      'spiffe://prod.example/ns/shop/sa/cart',
      'spiffe://prod.example/ns/web/sa/cart',
      'spiffe://far.example/ns/shop/sa/cart',
      'spiffe://far.example/ns/web/sa/cart',
      'spiffe://prod.example.far/ns/shop/sa/cart',
      'spiffe://prod.example/vm/cart',
      'spiffe://prod.example/ns/shop/sa/orders',
    ),
    port: fc.constantFrom(80, 81, 82),
    http: fc.option(http, { nil: undefined, freq: 5 }),
  })
  .map((each): Call => ({
    ...each,
    principal: each.principal === undefined ? undefined : spiffeId(each.principal),
    http: each.http && httpOf(each.http),
  }));

function httpOf({ values, ...asked }: { method: string; path: string; host: string; values: readonly string[] }) {
  return { ...asked, header: (name: string) => (name === 'x-tenant' ? values : []) };
}

function spiffeId(text: string) {
  const id = parseSpiffeId(text);
  if (!id.ok) throw new Error(id.reason);
  return id.value;
}

function policyOf(raw: unknown): PolicyDocument {
  const policy = toPolicy(raw);
  if (!policy.ok) throw new Error(JSON.stringify(policy.reason));
  return policy.value;
}

test('a decision by indexes is the one that reading every rule gives, with the same rules named', () => {
  let allowed = 0;
  let refused = 0;
  fc.assert(
    fc.property(documents, fc.array(call, { minLength: 5, maxLength: 5 }), (given, calls) => {
      const compiled = compilePolicies(given, workload);
      if (!compiled.ok) throw new Error(JSON.stringify(compiled.reason));
      for (const each of calls) {
        const decision = decide(compiled.value, each);
        if (decision.allow) allowed += 1;
        else refused += 1;
        expect(decision).toEqual(naiveDecide(given, workload, each));
      }
    }),
    { numRuns: 2_500 },
  );
  expect(Math.min(allowed, refused), 'both verdicts are common').toBeGreaterThan(1_000);
}, 90_000);
