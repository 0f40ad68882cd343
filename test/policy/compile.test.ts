import { expect, test } from 'vitest';
import { compilePolicies } from '#policy/compile.ts';
import { policiesOf, pricesWorkload } from '#support/policies.ts';

const policy = (spec: string): string =>
  `apiVersion: eastwest.dev/v1\nkind: AuthorizationPolicy\nmetadata: { name: a, namespace: shop }\nspec: ${spec}\n---\n`;
const operation = (fields: string): string => policy(`{ rules: [{ to: [{ operation: { ${fields} } }] }] }`);
const peers = (name: string, spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}\n---\n`;
const mesh = (name: string): string =>
  `apiVersion: eastwest.dev/v1\nkind: MeshPolicy\nmetadata: { name: ${name} }\nspec: {}\n---\n`;

const ports = new Map([
  [8080, 'http'],
  [5432, 'tcp'],
  [9090, 'auto'],
] as const);

function problemsOf(yaml: string): readonly string[] {
  const compiled = compilePolicies(policiesOf(yaml), { ...pricesWorkload, ports });
  return compiled.ok ? [] : compiled.reason.map(({ policy: of, path, problem }) => `${of} ${path}: ${problem}`);
}

test.each([
  [
    operation('paths: [/a]'),
    'shop/a spec.rules[0].to[0].operation.paths: cannot be judged on port 5432, which speaks TCP',
  ],
  [operation('notMethods: [GET]'), 'shop/a spec.rules[0].to[0].operation.notMethods: cannot be judged'],
  [operation('hosts: [a], ports: [8080, 5432]'), 'shop/a spec.rules[0].to[0].operation.hosts: cannot be judged'],
  [
    policy('{ rules: [{ when: [{ key: "request.headers[a]", values: [b] }] }] }'),
    'shop/a spec.rules[0].when[0].key: cannot be judged',
  ],
  [
    policy(
      '{ rules: [{ to: [{ operation: { ports: [8080] } }, { operation: { ports: [5432] } }], when: [{ key: "request.headers[a]", values: [b] }] }] }',
    ),
    'shop/a spec.rules[0].when[0].key: cannot be judged on port 5432',
  ],
  [
    operation('scopes: [a, b], ports: [8080]'),
    'shop/a spec.rules[0].to[0].operation.scopes[1]: no ScopeTemplates of this or the root namespace has b',
  ],
  [mesh('a') + mesh('b'), 'istio-system/b kind: there is another MeshPolicy, istio-system/a'],
  [
    peers('a', '{ mtls: { mode: STRICT } }') + peers('b', '{}'),
    'shop/b spec.selector: is about the same workload as shop/a',
  ],
])('%s is refused', (yaml, said) => {
  expect(problemsOf(yaml).at(-1)).toContain(said);
});

test.each([
  ['HTTP where the ports are named', operation('paths: [/a], ports: [8080, 9090]')],
  ['HTTP but for the port that speaks TCP', operation('paths: [/a], notPorts: [5432]')],
  [
    'HTTP of a port by condition',
    policy(
      '{ rules: [{ to: [{ operation: { paths: [/a] } }], when: [{ key: destination.port, values: ["8080"] }] }] }',
    ),
  ],
  [
    'HTTP but for a port by condition',
    policy(
      '{ rules: [{ to: [{ operation: { paths: [/a] } }], when: [{ key: destination.port, notValues: ["5432"] }] }] }',
    ),
  ],
  ['ports alone', operation('ports: [5432]')],
  [
    'HTTP in a policy for other workloads',
    policy('{ selector: { matchLabels: { app: cart } }, rules: [{ to: [{ operation: { paths: [/a] } }] }] }'),
  ],
])('%s can be judged', (_name, yaml) => {
  expect(problemsOf(yaml)).toEqual([]);
});

test('ports that nobody has declared yet refuse nothing', () => {
  expect(compilePolicies(policiesOf(operation('paths: [/a]')), pricesWorkload).ok).toBe(true);
});

test('every problem is told', () => {
  const both =
    policy('{ rules: [{ to: [{ operation: { paths: [/a] } }, { operation: { scopes: [b], ports: [8080] } }] }] }') +
    mesh('a') +
    mesh('b');
  expect(problemsOf(both).length).toBe(3);
});
