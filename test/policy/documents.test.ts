import { describe, expect, test } from 'vitest';
import { readPolicies, toPolicy } from '#policy/documents.ts';
import { ofKind, operation, ours, istio, peers, problemsOf, source, when } from '#support/policy-texts.ts';

const address = 'is not supported: identity is never derived from an address; name principals or namespaces';

describe('what Istio knows and we do not is refused by its name (S9)', () => {
  test.each([
    [source('ipBlocks: ["10.0.0.0/8"]'), 'rules[0].from[0].source.ipBlocks', address],
    [source('notIpBlocks: ["10.0.0.0/8"]'), 'rules[0].from[0].source.notIpBlocks', address],
    [source('remoteIpBlocks: ["10.0.0.0/8"]'), 'rules[0].from[0].source.remoteIpBlocks', address],
    [source('notRemoteIpBlocks: ["10.0.0.0/8"]'), 'rules[0].from[0].source.notRemoteIpBlocks', address],
    [source('serviceAccounts: [shop/cart]'), 'rules[0].from[0].source.serviceAccounts', 'write principals'],
    [source('notServiceAccounts: [shop/cart]'), 'rules[0].from[0].source.notServiceAccounts', 'write notPrincipals'],
    ['{ targetRef: { kind: Service, name: a } }', 'targetRef', 'write selector'],
    ['{ targetRefs: [{ kind: Service, name: a }] }', 'targetRefs', 'write selector'],
    ['{ provider: { name: opa } }', 'provider', 'leave it out'],
    ['{ action: CUSTOM }', 'action', 'CUSTOM is not supported'],
    [when('key: source.ip, values: ["10.0.0.1"]'), 'rules[0].when[0].key', `source.ip ${address}`],
    [when('key: remote.ip, values: ["10.0.0.1"]'), 'rules[0].when[0].key', `remote.ip ${address}`],
    [when('key: destination.ip, values: ["10.0.0.1"]'), 'rules[0].when[0].key', `destination.ip ${address}`],
    [when('key: request.auth.accessLevels, values: [a]'), 'rules[0].when[0].key', 'write request.auth.principal'],
    [when('key: "request.auth.claims", values: [a]'), 'rules[0].when[0].key', 'request.auth.claims[<name>]'],
    [source('roles: [premium]'), 'rules[0].from[0].source.roles', 'write apiVersion: eastwest.dev/v1'],
    [when('key: connection.sni, values: [a]'), 'rules[0].when[0].key', 'connection.sni is not supported'],
    [
      when('key: experimental.envoy.filters.a, values: [a]'),
      'rules[0].when[0].key',
      'experimental.envoy.filters.a is not',
    ],
    [when('key: source.serviceAccount, values: [a]'), 'rules[0].when[0].key', 'write source.principal'],
    [when('key: "request.headers[Upgrade]", values: [a]'), 'rules[0].when[0].key', 'no rule ever sees it'],
    [when('key: "request.headers[X_Forwarded_Client_Cert]", values: [a]'), 'rules[0].when[0].key', 'agents set it'],
    [when('key: "request.headers[Host]", values: [a]'), 'rules[0].when[0].key', 'write hosts under to'],
    [when('key: request.header, values: [a]'), 'rules[0].when[0].key', 'there is no key request.header'],
  ])('%s', (spec, path, said) => {
    expect(problemsOf(istio(spec))).toEqual([expect.stringContaining(`spec.${path}: `)]);
    expect(problemsOf(istio(spec))[0]).toContain(said);
  });
});

describe('what says too little or too much is refused (A67)', () => {
  test.each([
    ['a misspelt field', istio('{ rulez: [] }'), 'spec.rulez: there is no such field'],
    ['a field of ours in Istio’s dialect', istio('{ rules: [{ dryRun: true }] }'), 'write apiVersion: eastwest.dev/v1'],
    ['scopes in Istio’s dialect', istio(operation('scopes: [a]')), 'write apiVersion: eastwest.dev/v1'],
    ['allow: all in Istio’s dialect', istio('{ allow: all }'), 'write apiVersion: eastwest.dev/v1'],
    ['an empty source', istio(source('')), 'source: is empty'],
    ['an empty list of sources', istio('{ rules: [{ from: [] }] }'), 'from: is empty'],
    ['an empty list of principals', istio(source('principals: []')), 'principals: is empty'],
    ['an empty operation', istio(operation('')), 'operation: is empty'],
    ['an empty list of paths', istio(operation('paths: []')), 'paths: is empty'],
    ['a condition without values', istio(when('key: source.namespace')), 'when[0]: has nothing to compare with'],
    ['an empty text', istio(operation('paths: [""]')), 'paths[0]: is empty'],
    ['a number for a text', istio(operation('methods: [1]')), 'methods[0]: write texts'],
    ['nothing for a list', istio(operation('paths:')), 'paths: write texts'],
    ['no spec', istio(''), 'spec: write spec'],
    ['no name', istio('{}').replace('name: a, ', ''), 'metadata.name: write a name'],
    ['a name with capitals', istio('{}').replace('name: a', 'name: A'), 'metadata.name: write a name'],
    [
      'a dry run by annotation',
      istio('{}').replace('name: a', 'name: a, annotations: { istio.io/dry-run: "true" }'),
      'dryRun: true',
    ],
    ['what Kubernetes adds', `${istio('{}')}status: {}\n`, 'status: is not supported: it is what Kubernetes writes'],
    ['an unknown action', istio('{ action: MAYBE }'), 'spec.action: write ALLOW, DENY or AUDIT'],
    ['a label that is a number', istio('{ selector: { matchLabels: { app: 1 } } }'), 'matchLabels.app: is no label'],
    [
      'a label that means something to JavaScript',
      istio('{ selector: { matchLabels: { __proto__: a } } }'),
      '__proto__: is no label',
    ],
    ['labels without matchLabels', istio('{ selector: { app: prices } }'), 'spec.selector.app: there is no such field'],
    ['more rules than anyone reads', istio(`{ rules: [${'{},'.repeat(10_001)}] }`), 'are more than 10000'],
    [
      'an empty rule of ours',
      ours('{ rules: [{}] }'),
      'rules[0]: is empty and would admit everyone: write spec: { allow: all }',
    ],
    ['an empty rule on trial', ours('{ rules: [{ dryRun: true }] }'), 'rules[0]: is empty'],
    [
      'an empty DENY rule of ours',
      ours('{ action: DENY, rules: [{}] }'),
      'rules[0]: is empty and would match every call',
    ],
    ['allow: all beside rules', ours('{ allow: all, rules: [] }'), 'allow: makes rules meaningless'],
    ['allow: all of a DENY policy', ours('{ action: DENY, allow: all }'), 'allow: contradicts action DENY'],
    ['allow: some', ours('{ allow: some }'), 'allow: write allow: all'],
    [
      'a trial of an AUDIT rule',
      ours('{ action: AUDIT, rules: [{ dryRun: true, from: [{ source: { namespaces: [a] } }] }] }'),
      'dryRun: changes nothing',
    ],
    [
      'an unknown version',
      istio('{}').replace('/v1', '/v2'),
      'apiVersion: write security.istio.io/v1 or eastwest.dev/v1',
    ],
    [
      'a kind of ours under Istio’s version',
      ofKind('DenyList', '{}', 'security.istio.io/v1'),
      'write apiVersion: eastwest.dev/v1',
    ],
    [
      'a kind of Istio’s under our version',
      ofKind('PeerAuthentication', '{}'),
      'write apiVersion: security.istio.io/v1',
    ],
    [
      'a deny list that is for nobody knows whom',
      ofKind('DenyList', '{ entries: [] }').replace(', namespace: default', ''),
      'metadata.namespace: is missing: write the root namespace (istio-system) to deny everywhere',
    ],
    ['a kind of ours under no version', ofKind('DenyList', '{}', 'v1'), 'apiVersion: write eastwest.dev/v1'],
    ['token rules', ofKind('RequestAuthentication', '{}', 'security.istio.io/v1'), 'tokenIssuers'],
    ['a misspelt kind', ofKind('DenyLst', '{}'), 'did you mean DenyList?'],
    ['a kind of somebody else', ofKind('Gateway', '{}'), 'kind: write AuthorizationPolicy or'],
    ['a list', '- a\n', 'is no policy'],
    [
      'two of the same name',
      `${istio('{}')}---\n${istio('{}')}`,
      'metadata.name: there are two of AuthorizationPolicy shop/a',
    ],
    ['a duplicate key', `${istio('{}')}spec: {}\n`, 'the key spec is there twice'],
    ['an alias', istio('{ rules: [&x {}, *x] }'), 'is an alias'],
    ['an unknown tag', istio('!run {}'), 'tag'],
    ['a text that is too long', istio(`{} #${'x'.repeat(1_048_576)}`), 'is larger than 1 MiB'],
    ['nesting without end', `a: ${'['.repeat(20_000)}${']'.repeat(20_000)}`, 'is nested too deeply'],
  ])('%s', (_name, text, said) => {
    const problems = problemsOf(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join('\n')).toContain(said);
  });

  test('an empty rule of Istio’s dialect is what it is there: everything', () => {
    expect(problemsOf(istio('{ rules: [{}] }'))).toEqual([]);
  });
});

test('every problem is told at once, with its line and column, and nothing is read', () => {
  const text = `# two documents
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: a
spec:
  rules:
    - from:
        - source:
            principals: ["prod.example/ns/shop/sa/cart", cart]
            ipBlocks: [10.0.0.0/8]
      to:
        - operation:
            paths:
              - /a
              - /b//c
---
apiVersion: eastwest.dev/v1
kind: MeshPolicy
metadata: { name: mesh }
spec:
  defaultAction: maybe
`;
  const read = readPolicies(text, 'shop.yaml');
  expect(read.ok ? [] : read.reason.map(({ file, line, column, path }) => `${file}:${line}:${column} ${path}`)).toEqual(
    [
      'shop.yaml:10:58 spec.rules[0].from[0].source.principals[1]',
      'shop.yaml:11:13 spec.rules[0].from[0].source.ipBlocks',
      'shop.yaml:16:17 spec.rules[0].to[0].operation.paths[1]',
      'shop.yaml:22:3 spec.defaultAction',
    ],
  );
});

test('problems end at the thousandth', () => {
  expect(problemsOf('a:\n---\n'.repeat(1_200)).length).toBe(1_000);
});

test('what is missing is told where it should be', () => {
  const read = readPolicies(
    'apiVersion: eastwest.dev/v1\nkind: DenyList\nmetadata: { name: a, namespace: shop }\n',
    'a.yaml',
  );
  expect(read).toMatchObject({ ok: false, reason: [{ line: 1, column: 1, path: 'spec' }] });
});

test('JSON from the wire is judged as the YAML it was', () => {
  const text = `${ours(operation('paths: ["/a/{b}", /c]'))}---\n${peers('{ mtls: { mode: STRICT } }')}---\n`;
  const read = readPolicies(text, 'a.yaml');
  expect(read.ok && read.value.length).toBe(2);
  for (const { document, raw } of read.ok ? read.value : []) {
    expect(toPolicy(JSON.parse(JSON.stringify(raw)))).toEqual({ ok: true, value: document });
  }
  expect(
    toPolicy({
      apiVersion: 'eastwest.dev/v1',
      kind: 'DenyList',
      metadata: { name: 'a', namespace: 'b' },
      spec: { entries: [{}] },
    }),
  ).toEqual({
    ok: false,
    reason: [expect.objectContaining({ path: 'spec.entries[0].reason' })],
  });
  expect(toPolicy(null).ok).toBe(false);
  expect(toPolicy(JSON.parse('{"apiVersion": "__proto__", "kind": "constructor"}')).ok).toBe(false);
});

test('documents become what they say', () => {
  const read = readPolicies(
    [
      ofKind('DenyList', '{ entries: [{ serial: 0a1f, reason: lost, expiresAt: "2026-01-31T12:00:00.5+01:00" }] }'),
      ofKind('MeshPolicy', '{ defaultAction: allow, rootNamespace: mesh }').replace('name: a', 'name: b'),
      ofKind('ScopeTemplates', '{ scopes: [{ scope: g.read, method: GET, path: "/g/{id}" }] }'),
      peers(
        '{ selector: { matchLabels: { app: a } }, mtls: { mode: UNSET }, portLevelMtls: { 80: { mode: PERMISSIVE } } }',
      ),
      ours('{ allow: all }'),
    ].join('---\n'),
    'a.yaml',
  );
  expect(read.ok && read.value.map(({ document }) => document)).toEqual([
    {
      kind: 'DenyList',
      namespace: 'default',
      name: 'a',
      entries: [{ serial: '0a1f', reason: 'lost', expiresAtMs: 1_769_857_200_500 }],
    },
    { kind: 'MeshPolicy', namespace: 'mesh', name: 'b', defaultAction: 'allow', rootNamespace: 'mesh' },
    {
      kind: 'ScopeTemplates',
      namespace: 'default',
      name: 'a',
      scopes: [
        {
          scope: 'g.read',
          method: 'GET',
          path: { kind: 'template', segments: [{ kind: 'literal', text: 'g' }, { kind: 'one' }] },
        },
      ],
    },
    {
      kind: 'PeerAuthentication',
      namespace: 'default',
      name: 'a',
      selector: { app: 'a' },
      mode: undefined,
      ports: new Map([[80, 'PERMISSIVE']]),
    },
    {
      kind: 'AuthorizationPolicy',
      dialect: 'eastwest.dev/v1',
      namespace: 'shop',
      name: 'a',
      selector: {},
      action: 'ALLOW',
      rules: [{ path: 'allow', isDryRun: false, from: [], to: [], when: [] }],
    },
  ]);
});
