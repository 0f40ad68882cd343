import { describe, expect, test } from 'vitest';
import type { InboundPortConfig } from '#agent/config-types.ts';
import { PolicyCompiler } from '#agent/policy/policy-compiler.ts';
import { workloadFacts } from '#agent/policy/workload-facts.ts';
import { parseSpiffeId } from '#certs/spiffe-id.ts';
import { decide, mtlsModeOf } from '#policy/decide.ts';
import { readPolicies } from '#policy/documents.ts';
import { allowText } from '#support/mesh-policies.ts';

const prices = parseSpiffeId('spiffe://shop.example/ns/shop/sa/prices');
if (!prices.ok) throw new Error(prices.reason);
const port = { app: { host: '127.0.0.1', port: 1 }, allow: [], listen: undefined, mode: 'STRICT' as const };
const inbound = {
  listen: { host: '127.0.0.1', port: 0 },
  advertise: undefined,
  ports: [{ ...port, port: 7002, protocol: 'tcp' as const }],
};
const facts = workloadFacts({ workload: 'prices', inbound }, prices.value);
const rawOf = (text: string): unknown => {
  const read = readPolicies(text, 'a.yaml');
  if (!read.ok) throw new Error(JSON.stringify(read.reason));
  return read.value[0]?.raw;
};

test('a workload is known by the trust domain and namespace of its SVID, its name and its ports', () => {
  expect(facts).toEqual({
    trustDomain: 'shop.example',
    namespace: 'shop',
    name: 'prices',
    labels: { app: 'prices', 'app.kubernetes.io/name': 'prices' },
    ports: new Map([[7002, 'tcp']]),
  });
});

test.each([
  ['a policy of another namespace', [rawOf(allowText('cart'))], undefined],
  [
    'a path on a TCP port',
    [rawOf(allowText('cart', { namespace: 'shop' }))],
    /^shop\/cart spec\.rules\[0\]\.to\[0\]\.operation\.\w+: /,
  ],
  ['a kind of tomorrow', [{ kind: 'Quota', metadata: { name: 'a' } }], /^a apiVersion: /],
  ['no policy at all', [{}], /^a document without a name : |^a document without a name apiVersion: /],
])('%s', (_name, documents, problem) => {
  const compiler = new PolicyCompiler(inbound.ports);
  for (let time = 0; time < 2; time += 1) {
    const told = compiler.compile({ documents, workload: facts }).problem;
    if (problem === undefined) expect(told).toBeUndefined();
    else expect(told).toMatch(problem);
  }
});

test('before anything is pushed the lists of the workload’s own file decide', () => {
  const cart = parseSpiffeId('spiffe://shop.example/ns/shop/sa/cart');
  if (!cart.ok) throw new Error(cart.reason);
  const own = new PolicyCompiler([{ ...inbound.ports[0]!, allow: [cart.value] }]).compileOwn({
    workload: 'prices',
    trustDomain: 'shop.example',
  });
  expect(decide(own, { principal: cart.value, port: 7002, http: undefined })).toMatchObject({
    allow: true,
    rule: 'ports[7002].allow',
  });
  expect(decide(own, { principal: prices.value, port: 7002, http: undefined }).allow).toBe(false);
});

test('a document that cannot be judged lets nobody in, and keeps no other out of force', () => {
  const cart = parseSpiffeId('spiffe://shop.example/ns/shop/sa/cart');
  if (!cart.ok) throw new Error(cart.reason);
  const shut = (action: string): unknown =>
    rawOf(`apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: unjudged, namespace: shop }
spec: { action: ${action}, rules: [{ to: [{ operation: { paths: [/a] } }] }] }
`);
  const others = rawOf(`apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: all, namespace: shop }
spec: { rules: [{}] }
`);
  const verdictBeside = (...documents: unknown[]) => {
    const { policy, problem } = new PolicyCompiler(inbound.ports).compile({ documents, workload: facts });
    expect(problem).toContain('shop/unjudged');
    return decide(policy!, { principal: cart.value, port: 7002, http: undefined }).allow;
  };
  expect(verdictBeside(shut('ALLOW'))).toBe(false);
  expect(verdictBeside(shut('ALLOW'), others)).toBe(true);
  expect(verdictBeside(shut('DENY'), others)).toBe(false);
});

describe('the mode of a port', () => {
  const permissive = { ...inbound.ports[0]!, mode: 'PERMISSIVE' as const };
  const peers = (name: string, mode: string, selector = ''): unknown =>
    rawOf(`apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: ${name}, namespace: shop }
spec: { ${selector} mtls: { mode: ${mode} } }
`);
  const own = 'selector: { matchLabels: { app: prices } },';
  const modeBy = (documents: readonly unknown[], port: InboundPortConfig = permissive) => {
    const { policy, problem } = new PolicyCompiler([port]).compile({ documents, workload: facts });
    return { mode: mtlsModeOf(policy!, 7002), problem };
  };

  test.each([
    ['agent.yaml says it where no document does', [], 'PERMISSIVE'],
    ['a document of the namespace outweighs agent.yaml', [peers('all', 'STRICT')], 'STRICT'],
    ['one that leaves it open does not', [peers('all', 'UNSET')], 'PERMISSIVE'],
    ['the workload’s own outweighs both', [peers('all', 'STRICT'), peers('own', 'PERMISSIVE', own)], 'PERMISSIVE'],
  ])('%s', (_name, documents, mode) => {
    expect(modeBy(documents)).toEqual({ mode, problem: undefined });
    expect(
      mtlsModeOf(
        new PolicyCompiler([permissive]).compileOwn({ workload: 'prices', trustDomain: 'prod.example' }),
        7002,
      ),
    ).toBe('PERMISSIVE');
  });

  test('is STRICT where documents contradict each other, whatever each of them or agent.yaml says', () => {
    for (const modes of [['PERMISSIVE', 'STRICT'] as const, ['PERMISSIVE', 'PERMISSIVE'] as const]) {
      const { mode, problem } = modeBy(modes.map((each, index) => peers(`own-${index}`, each, own)));
      expect(mode).toBe('STRICT');
      expect(problem).toContain('shop/own-1 spec.selector: is about the same workload as shop/own-0');
    }
  });

  test('is STRICT where documents contradict each other, and what else they say is in force: DENY, and a deny list', () => {
    const cart = parseSpiffeId('spiffe://shop.example/ns/shop/sa/cart');
    const thief = parseSpiffeId('spiffe://shop.example/ns/shop/sa/thief');
    if (!cart.ok || !thief.ok) throw new Error('bad SPIFFE ID');
    const rules = (name: string, spec: string): unknown =>
      rawOf(`apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, namespace: shop }
spec: ${spec}
`);
    const list = rawOf(`apiVersion: eastwest.dev/v1
kind: DenyList
metadata: { name: lost, namespace: shop }
spec: { entries: [{ spiffeId: ${thief.value}, reason: stolen }] }
`);
    const compiler = new PolicyCompiler([permissive]);
    const contradicting = [
      peers('a', 'PERMISSIVE', own),
      peers('b', 'PERMISSIVE', own),
      rules('all', '{ rules: [{}] }'),
    ];
    const compiled = (documents: readonly unknown[]) => {
      const { policy, problem } = compiler.compile({ documents, workload: facts });
      expect(problem).toContain('shop/b spec.selector');
      expect(mtlsModeOf(policy!, 7002)).toBe('STRICT');
      return policy!;
    };
    const call = (principal: typeof cart.value) => ({ principal, port: 7002, http: undefined });
    expect(decide(compiled(contradicting), call(cart.value)).allow).toBe(true);
    const deny = rules('no', '{ action: DENY, rules: [{ from: [{ source: { principals: ["*/sa/cart"] } }] }] }');
    const later = compiled([...contradicting, deny, list]);
    expect(decide(later, call(cart.value)).allow).toBe(false);
    expect(later.denials.get(thief.value)).toMatchObject([{ reason: 'stolen' }]);
  });

  test('stands though a policy of the same name cannot be judged', () => {
    const unjudged = rawOf(`apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: own, namespace: shop }
spec: { rules: [{ to: [{ operation: { paths: [/a] } }] }] }
`);
    const { mode, problem } = modeBy([peers('own', 'PERMISSIVE', own), unjudged], inbound.ports[0]);
    expect(mode).toBe('PERMISSIVE');
    expect(problem).toContain('shop/own spec.rules[0]');
  });
});
