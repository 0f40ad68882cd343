import { describe, expect, test } from 'vitest';
import type { WorkloadFacts } from '#policy/model.ts';
import { compiledPolicy, pricesWorkload, verdictOn, type CallWords } from '#support/policies.ts';

type Row = readonly [from: string, asks: string, verdict: 'allowed' | 'denied' | 'refused', more?: Partial<CallWords>];

interface Example {
  /** What Istio says of such a policy, in our words. */
  readonly says: string;
  readonly policies: string;
  readonly calls: readonly Row[];
  readonly workload?: Partial<WorkloadFacts>;
}

const policy = (spec: string, place = 'name: a, namespace: shop'): string =>
  `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { ${place} }\nspec:\n${spec.replaceAll(/^/gm, '  ')}\n---\n`;
const allowMesh = `apiVersion: eastwest.dev/v1\nkind: MeshPolicy\nmetadata: { name: mesh }\nspec: { defaultAction: allow }\n---\n`;

const examples: readonly Example[] = [
  {
    says: 'an empty ALLOW policy of a namespace admits nobody to it',
    policies: allowMesh + policy('{}'),
    calls: [
      ['shop/cart', 'GET /prices/1', 'refused'],
      ['-', 'tcp', 'refused'],
    ],
  },
  {
    says: 'an ALLOW policy with one empty rule admits everyone to everything',
    policies: policy('rules: [{}]'),
    calls: [
      ['shop/cart', 'DELETE /prices/1', 'allowed'],
      ['-', 'tcp', 'allowed'],
    ],
  },
  {
    says: 'a DENY policy with one empty rule shuts everyone out, whoever is admitted otherwise',
    policies: policy('rules: [{}]') + policy('action: DENY\nrules: [{}]', 'name: b, namespace: shop'),
    calls: [['shop/cart', 'GET /prices/1', 'denied']],
  },
  {
    says: 'a DENY policy without rules matches nothing',
    policies: policy('rules: [{}]') + policy('action: DENY', 'name: b, namespace: shop'),
    calls: [['shop/cart', 'GET /prices/1', 'allowed']],
  },
  {
    says: 'without an ALLOW policy a workload that may be called by default still is, but for what is denied',
    policies: allowMesh + policy('action: DENY\nrules:\n- to:\n  - operation: { methods: [DELETE] }'),
    calls: [
      ['shop/cart', 'GET /prices/1', 'allowed'],
      ['shop/cart', 'DELETE /prices/1', 'denied'],
    ],
  },
  {
    says: 'service account or namespace, for these methods and paths: lists are alternatives, fields are not',
    policies: policy(`rules:
- from:
  - source: { principals: [prod.example/ns/web/sa/front] }
  - source: { namespaces: [audit] }
  to:
  - operation: { methods: [GET], paths: ["/prices*"] }
  - operation: { methods: [POST], paths: [/orders] }`),
    calls: [
      ['web/front', 'GET /prices', 'allowed'],
      ['web/front', 'GET /prices/1', 'allowed'],
      ['web/front', 'POST /orders', 'allowed'],
      ['audit/any', 'GET /prices/1', 'allowed'],
      ['web/front', 'POST /prices', 'refused'],
      ['web/front', 'GET /orders', 'refused'],
      ['web/other', 'GET /prices', 'refused'],
    ],
  },
  {
    says: 'two items under from are OR: either source will do (A67)',
    policies: policy(`rules:
- from:
  - source: { principals: ["*/sa/cart"] }
  - source: { namespaces: [shop] }`),
    calls: [
      ['web/cart', 'GET /', 'allowed'],
      ['shop/orders', 'GET /', 'allowed'],
      ['web/orders', 'GET /', 'refused'],
    ],
  },
  {
    says: 'two fields of one source are AND: both must match (A67)',
    policies: policy('rules:\n- from:\n  - source: { principals: ["*/sa/cart"], namespaces: [shop] }'),
    calls: [
      ['shop/cart', 'GET /', 'allowed'],
      ['web/cart', 'GET /', 'refused'],
      ['shop/orders', 'GET /', 'refused'],
    ],
  },
  {
    says: 'a principal of "*" is any verified caller, so a plaintext one is refused',
    policies: policy('rules:\n- from:\n  - source: { principals: ["*"] }'),
    calls: [
      ['web/front', 'GET /', 'allowed'],
      ['-', 'GET /', 'refused'],
    ],
  },
  {
    says: 'denying whoever is not of a namespace denies callers without identity too',
    policies:
      policy('rules: [{}]') +
      policy('action: DENY\nrules:\n- from:\n  - source: { notNamespaces: [shop] }', 'name: b, namespace: shop'),
    calls: [
      ['shop/cart', 'GET /', 'allowed'],
      ['web/front', 'GET /', 'denied'],
      ['-', 'GET /', 'denied'],
    ],
  },
  {
    says: 'whoever is no principal at all can be denied: notPrincipals of "*"',
    policies:
      policy('rules: [{}]') +
      policy('action: DENY\nrules:\n- from:\n  - source: { notPrincipals: ["*"] }', 'name: b, namespace: shop'),
    calls: [
      ['web/front', 'GET /', 'allowed'],
      ['-', 'GET /', 'denied'],
    ],
  },
  {
    says: 'a selector picks workloads by all of its labels',
    policies:
      policy('selector: { matchLabels: { app: prices, version: v1 } }\nrules: [{}]') +
      policy(
        'selector: { matchLabels: { app: prices, version: v2 } }\naction: DENY\nrules: [{}]',
        'name: b, namespace: shop',
      ),
    calls: [['shop/cart', 'GET /', 'allowed']],
  },
  {
    says: 'a policy of another namespace is about other workloads',
    policies: policy('rules: [{}]', 'name: a, namespace: web'),
    calls: [['shop/cart', 'GET /', 'refused']],
  },
  {
    says: 'a policy of the root namespace is about every workload, or about those with its labels in any namespace',
    policies:
      policy('rules: [{}]', 'name: a, namespace: istio-system') +
      policy(
        'selector: { matchLabels: { app: prices } }\naction: DENY\nrules:\n- to:\n  - operation: { paths: [/admin] }',
        'name: b, namespace: istio-system',
      ),
    calls: [
      ['shop/cart', 'GET /', 'allowed'],
      ['shop/cart', 'GET /admin', 'denied'],
    ],
  },
  {
    says: 'everything but one path can need a method: notPaths beside methods',
    policies: policy('rules:\n- to:\n  - operation: { methods: [GET, HEAD], notPaths: ["/admin*", /private] }'),
    calls: [
      ['shop/cart', 'GET /prices', 'allowed'],
      ['shop/cart', 'GET /administration', 'refused'],
      ['shop/cart', 'GET /private', 'refused'],
      ['shop/cart', 'GET /private/x', 'allowed'],
      ['shop/cart', 'POST /prices', 'refused'],
    ],
  },
  {
    says: 'hosts are compared without case, by ending, and without their port unless it is named',
    policies: policy('rules:\n- to:\n  - operation: { hosts: ["*.example", "Admin.Internal:8080"] }'),
    calls: [
      ['shop/cart', 'GET PRICES.example /', 'allowed'],
      ['shop/cart', 'GET prices.example:9090 /', 'allowed'],
      ['shop/cart', 'GET prices.example.:9090 /', 'allowed'],
      ['shop/cart', 'GET admin.internal:8080 /', 'allowed'],
      ['shop/cart', 'GET admin.internal:8081 /', 'refused'],
      ['shop/cart', 'GET admin.internal /', 'refused'],
      ['shop/cart', 'GET prices.example.evil /', 'refused'],
    ],
  },
  {
    says: 'ports are written as texts, and hold for what is no HTTP too',
    policies: policy(
      'rules:\n- to:\n  - operation: { ports: ["5432", "8080"] }\n- to:\n  - operation: { notPorts: ["1", "5432", "8080", "9090"] }',
    ),
    calls: [
      ['shop/cart', 'tcp', 'allowed', { port: 5432 }],
      ['shop/cart', 'GET /', 'allowed', { port: 8080 }],
      ['shop/cart', 'tcp', 'refused', { port: 9090 }],
      ['shop/cart', 'tcp', 'allowed', { port: 70 }],
    ],
  },
  {
    says: 'what is no HTTP never meets an ALLOW rule that asks for HTTP, and always a DENY rule that does',
    policies:
      policy('rules:\n- to:\n  - operation: { methods: [GET] }\n- to:\n  - operation: { ports: ["5432", "5433"] }') +
      policy(
        'action: DENY\nrules:\n- to:\n  - operation: { ports: ["5433"], paths: [/admin] }',
        'name: b, namespace: shop',
      ),
    calls: [
      ['shop/cart', 'tcp', 'refused', { port: 8080 }],
      ['shop/cart', 'tcp', 'allowed', { port: 5432 }],
      ['shop/cart', 'tcp', 'denied', { port: 5433 }],
    ],
  },
  {
    says: 'a template takes {*} for one segment and {**} for the rest',
    policies: policy(
      'rules:\n- to:\n  - operation: { paths: ["/shops/{*}/prices", "/files/{*}/raw/{**}", "/docs/{**}/"] }',
    ),
    calls: [
      ['shop/cart', 'GET /shops/7/prices', 'allowed'],
      ['shop/cart', 'GET /shops/7/8/prices', 'refused'],
      ['shop/cart', 'GET /shops//prices', 'refused'],
      ['shop/cart', 'GET /shops/7/prices/', 'refused'],
      ['shop/cart', 'GET /files/a/raw/', 'allowed'],
      ['shop/cart', 'GET /files/a/raw/b/c', 'allowed'],
      ['shop/cart', 'GET /files/a/raw', 'refused'],
      ['shop/cart', 'GET /docs/a/', 'allowed'],
      ['shop/cart', 'GET /docs/a', 'refused'],
    ],
  },
  {
    says: 'a prefix is one of texts in Istio’s dialect: /groups/1* is /groups/10 too (A58)',
    policies: policy('rules:\n- to:\n  - operation: { paths: ["/groups/1*"] }'),
    calls: [
      ['shop/cart', 'GET /groups/1', 'allowed'],
      ['shop/cart', 'GET /groups/10', 'allowed'],
      ['shop/cart', 'GET /groups/2', 'refused'],
    ],
  },
  {
    says: 'a condition on a header takes values or their absence; its name has no case',
    policies: policy(`rules:
- when:
  - { key: "request.headers[X-Tenant]", values: [blue, "green-*"] }
  - { key: "request.headers[x-internal]", notValues: ["*"] }`),
    calls: [
      ['shop/cart', 'GET /', 'allowed', { headers: { 'x-tenant': ['blue'] } }],
      ['shop/cart', 'GET /', 'allowed', { headers: { 'x-tenant': ['green-2'] } }],
      ['shop/cart', 'GET /', 'refused', { headers: { 'x-tenant': ['red'] } }],
      ['shop/cart', 'GET /', 'refused', { headers: { 'x-tenant': ['blue'], 'x-internal': ['1'] } }],
      ['shop/cart', 'GET /', 'refused'],
    ],
  },
  {
    says: 'conditions name callers and ports too, and all of a rule must hold',
    policies: policy(`rules:
- when:
  - { key: source.namespace, values: [shop] }
  - { key: source.principal, notValues: ["*/sa/guest"] }
  - { key: destination.port, values: ["8080"] }`),
    calls: [
      ['shop/cart', 'GET /', 'allowed'],
      ['shop/cart', 'GET /', 'refused', { port: 8081 }],
      ['shop/guest', 'GET /', 'refused'],
      ['web/cart', 'GET /', 'refused'],
      ['-', 'GET /', 'refused'],
    ],
  },
  {
    says: 'any ALLOW policy of several may admit; what one DENY policy matches is lost',
    policies:
      policy('rules:\n- from:\n  - source: { namespaces: [web] }') +
      policy('rules:\n- to:\n  - operation: { paths: [/health] }', 'name: b, namespace: shop') +
      policy('action: DENY\nrules:\n- to:\n  - operation: { methods: [DELETE] }', 'name: c, namespace: shop'),
    calls: [
      ['web/front', 'GET /prices', 'allowed'],
      ['shop/cart', 'GET /health', 'allowed'],
      ['shop/cart', 'GET /prices', 'refused'],
      ['web/front', 'DELETE /prices', 'denied'],
    ],
  },
  {
    says: 'gRPC methods are paths of POST',
    policies: policy(
      'rules:\n- to:\n  - operation: { methods: [POST], paths: ["/shop.Prices/*"], notPaths: [/shop.Prices/Drop] }',
    ),
    calls: [
      ['shop/cart', 'POST /shop.Prices/Get', 'allowed'],
      ['shop/cart', 'POST /shop.Prices/Drop', 'refused'],
      ['shop/cart', 'POST /shop.PricesX/Get', 'refused'],
    ],
  },
];

describe.each(examples)('$says', ({ policies, calls, workload }) => {
  const compiled = compiledPolicy(policies, { ...pricesWorkload, ...workload });
  test.each(calls.map(([from, asks, verdict, more]) => ({ words: { from, asks, ...more }, verdict })))(
    '$words.from asks $words.asks: $verdict',
    ({ words, verdict }) => {
      expect(verdictOn(compiled, words)).toBe(verdict);
    },
  );
});
