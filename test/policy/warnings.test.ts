import { expect, test } from 'vitest';
import { warningsOf } from '#policy/warnings.ts';
import { policiesOf } from '#support/policies.ts';
import { istio, ofKind, operation, ours, source, when } from '#support/policy-texts.ts';

const mesh = { trustDomain: 'prod.example', rootNamespace: 'istio-system' };
const deny = (spec: string): string => istio(spec.replace('{ rules', '{ action: DENY, rules'));
const warnings = (text: string) => policiesOf(text).flatMap((each) => warningsOf(each, mesh));
const at = (field: string) => `spec.rules[0].to[0].operation.${field}`;

test.each([
  [deny(operation('methods: [GET]')), at('methods'), 'lets HEAD pass'],
  [deny(operation('methods: ["G*"]')), at('methods'), 'lets HEAD pass'],
  [istio(operation('notMethods: [GET, POST]')), at('notMethods'), 'admits HEAD'],
  [deny(operation('paths: ["/a@b"]')), at('paths'), 'misses /a%40b, which many apps take for /a@b'],
  [deny(operation('paths: ["/a%3Ab*"]')), at('paths'), 'misses /a:b*'],
  [deny(operation('paths: ["/{*}/a,b"]')), at('paths'), 'misses /{*}/a%2Cb'],
  [ours(operation('notPaths: ["/~me/a=b/*"]')), at('notPaths'), 'misses /~me/a%3Db/*'],
  [istio(source('notPrincipals: ["far.example/*"]')), 'spec.rules[0].from[0].source.notPrincipals', 'far.example'],
  [
    istio(when('key: source.principal, values: [cluster.local/ns/a/sa/b, prod.example/ns/a/sa/b]')),
    'spec.rules[0].when[0].values',
    'names the trust domain cluster.local, of which nobody is believed here: this mesh is prod.example',
  ],
  [
    ofKind('MeshPolicy', '{ defaultAction: allow }'),
    'spec.defaultAction',
    'lets everybody of this trust domain call every workload that no ALLOW policy selects',
  ],
  [ofKind('DenyList', '{ entries: [] }'), 'metadata.namespace', 'from workloads of default alone: one in istio-system'],
  [
    ofKind('DenyList', '{ entries: [{ spiffeId: spiffe://far.example/a, reason: b }] }').replace(
      'namespace: default',
      'namespace: istio-system',
    ),
    'spec.entries[0].spiffeId',
    'far.example',
  ],
])('%s may not be meant at %s: %s', (text, path, problem) => {
  expect(warnings(text)).toEqual([{ path, problem: expect.stringContaining(problem) }]);
});

test.each([
  ofKind('MeshPolicy', '{ defaultAction: deny }'),
  deny(operation('methods: [GET, HEAD]')),
  deny(operation('methods: ["*"]')),
  deny(operation('notMethods: [GET]')),
  istio(operation('methods: [GET]')),
  istio(operation('paths: ["/a@b"]')),
  deny(operation('paths: ["/a@b", "/a%40b"]')),
  deny(operation('paths: ["/caf%C3%A9", "/a%20b"]')),
  istio(source('principals: ["*", "*/sa/cart", prod.example/ns/a/sa/b]')),
])('%s is as plain as it can be', (text) => {
  expect(warnings(text)).toEqual([]);
});
