import { describe, expect, test } from 'vitest';
import { callToken, compiledPolicy, decisionOn, verdictOn } from '#support/policies.ts';

const document = (kind: string, spec: string, place = 'name: a, namespace: shop'): string =>
  `apiVersion: eastwest.dev/v1\nkind: ${kind}\nmetadata: { ${place} }\nspec:\n${spec.replaceAll(/^/gm, '  ')}\n---\n`;
const policy = (spec: string, place?: string): string => document('AuthorizationPolicy', spec, place);
const allowPaths = (...paths: readonly string[]): string =>
  policy(`rules: [{ to: [{ operation: { paths: ${JSON.stringify(paths)} } }] }]`);

describe('in our dialect a path is its segments (A58)', () => {
  test.each([
    ['/groups/1/*', '/groups/1/a', 'allowed'],
    ['/groups/1/*', '/groups/1/', 'allowed'],
    ['/groups/1/*', '/groups/1', 'refused'],
    ['/groups/1/*', '/groups/10', 'refused'],
    ['/groups/1/*', '/groups/10/a', 'refused'],
    ['/groups/{group}', '/groups/1', 'allowed'],
    ['/groups/{group}', '/groups/1/a', 'refused'],
    ['/groups/{group}', '/groups/', 'refused'],
    ['/groups/{group}/*', '/groups/1/a/b', 'allowed'],
    ['/groups/{group}/*', '/groups/1', 'refused'],
    ['/{a}/documents/{b}', '/x/documents/y', 'allowed'],
    ['/{a}/documents/{b}', '/x/documentsX/y', 'refused'],
    ['*/documents', '/a/documents', 'allowed'],
    ['*/documents', '/a/otherdocuments', 'refused'],
    ['*.json', '/a/b.json', 'allowed'],
    ['/*', '/', 'allowed'],
    ['*', '*', 'allowed'],
    ['/a', '/A', 'refused'],
    ['/a', '/a/', 'refused'],
  ])('%s, %s: %s', (pattern, path, verdict) => {
    expect(verdictOn(compiledPolicy(allowPaths(pattern)), { from: 'shop/cart', asks: `GET ${path}` })).toBe(verdict);
  });
});

describe('a path with parameters is judged with and without them (A56)', () => {
  const compiled = compiledPolicy(
    allowPaths('/*') +
      policy(
        'action: DENY\nrules: [{ to: [{ operation: { paths: ["/admin/*", "/b;v=1"] } }] }]',
        'name: b, namespace: shop',
      ),
  );
  test.each([
    ['/a;v=1', 'allowed'],
    ['/admin;v=1/users', 'denied'],
    ['/admin;/users', 'denied'],
    ['/;x/admin/users', 'denied'],
    ['/b;v=1', 'denied'],
    ['/b', 'allowed'],
  ])('%s: %s', (path, verdict) => {
    expect(verdictOn(compiled, { from: 'shop/cart', asks: `GET ${path}` })).toBe(verdict);
  });

  test('what is admitted without them only is refused', () => {
    expect(verdictOn(compiledPolicy(allowPaths('/a')), { from: 'shop/cart', asks: 'GET /a;v=1' })).toBe('refused');
    expect(verdictOn(compiledPolicy(allowPaths('/a;v=1')), { from: 'shop/cart', asks: 'GET /a;v=1' })).toBe('refused');
    expect(verdictOn(compiledPolicy(allowPaths('/a', '/a;v=1')), { from: 'shop/cart', asks: 'GET /a;v=1' })).toBe(
      'allowed',
    );
  });

  test('what becomes no path without them is refused', () => {
    expect(verdictOn(compiledPolicy(allowPaths('/*')), { from: 'shop/cart', asks: 'GET /..;x/a' })).toBe('refused');
  });
});

describe('the method is the one that was sent (A57)', () => {
  const compiled = compiledPolicy(policy('rules: [{ to: [{ operation: { methods: [GET, "P*"] } }] }]'));
  test.each([
    ['GET', 'allowed'],
    ['get', 'refused'],
    ['PURGE', 'allowed'],
    ['TRACE', 'refused'],
    ['CONNECT', 'refused'],
    ['DELETE', 'refused'],
  ])('%s: %s', (method, verdict) => {
    const headers = { 'x-http-method-override': ['GET'], 'x-method-override': ['GET'] };
    expect(verdictOn(compiled, { from: 'shop/cart', asks: `${method} /a`, headers })).toBe(verdict);
  });
});

describe('a header that is there twice', () => {
  const admits = compiledPolicy(policy('rules: [{ when: [{ key: "request.headers[x-role]", values: [guest] }] }]'));
  const denies = compiledPolicy(
    policy('allow: all') +
      policy(
        'action: DENY\nrules: [{ when: [{ key: "request.headers[x-role]", values: [admin] }] }]',
        'name: b, namespace: shop',
      ),
  );
  const excludes = compiledPolicy(
    policy('allow: all') +
      policy(
        'action: DENY\nrules: [{ when: [{ key: "request.headers[x-role]", notValues: [guest] }] }]',
        'name: b, namespace: shop',
      ),
  );
  test.each([
    [['guest'], 'allowed', 'allowed', 'allowed'],
    [['guest', 'admin'], 'refused', 'denied', 'denied'],
    [['admin', 'guest'], 'refused', 'denied', 'denied'],
    [['guest', 'guest'], 'allowed', 'allowed', 'allowed'],
    [[], 'refused', 'allowed', 'denied'],
  ])('%j admits only by all of its values, and is denied by any', (roles, ...verdicts) => {
    const words = { from: 'shop/cart', asks: 'GET /', headers: { 'x-role': roles } };
    expect([admits, denies, excludes].map((compiled) => verdictOn(compiled, words))).toEqual(verdicts);
  });
});

describe('a decision names its rules', () => {
  test('the first that matches, in the order of the documents', () => {
    const compiled = compiledPolicy(
      policy('rules:\n- { to: [{ operation: { paths: [/a] } }] }\n- { from: [{ source: { namespaces: [shop] } }] }') +
        policy('allow: all', 'name: b, namespace: shop') +
        policy(
          'action: DENY\nrules:\n- { to: [{ operation: { ports: [1] } }] }\n- { to: [{ operation: { methods: [PUT] } }] }',
          'name: c, namespace: istio-system',
        ),
    );
    const ruleOf = (from: string, asks: string) => ({ ...decisionOn(compiled, { from, asks }) });
    expect(ruleOf('shop/cart', 'GET /a')).toEqual({ allow: true, rule: 'shop/a rules[0]', audited: [], dryRun: [] });
    expect(ruleOf('shop/cart', 'GET /b')).toMatchObject({ allow: true, rule: 'shop/a rules[1]' });
    expect(ruleOf('web/front', 'GET /b')).toMatchObject({ allow: true, rule: 'shop/b allow' });
    expect(ruleOf('shop/cart', 'PUT /a')).toMatchObject({
      allow: false,
      reason: 'denied-by-rule',
      rule: 'istio-system/c rules[1]',
    });
  });

  test('and those of AUDIT policies, whatever the verdict', () => {
    const compiled = compiledPolicy(
      policy(
        'action: AUDIT\nrules:\n- { to: [{ operation: { paths: [/a] } }] }\n- { from: [{ source: { namespaces: [shop] } }] }',
      ),
    );
    const decision = decisionOn(compiled, { from: 'shop/cart', asks: 'GET /a' });
    expect(decision).toEqual({
      allow: false,
      reason: 'no-rule-matches',
      audited: ['shop/a rules[0]', 'shop/a rules[1]'],
      dryRun: [],
    });
  });

  test('and a MeshPolicy where nothing else is about the workload', () => {
    const mesh = document('MeshPolicy', 'defaultAction: allow', 'name: mesh');
    expect(decisionOn(compiledPolicy(mesh), { from: '-', asks: 'tcp' })).toMatchObject({
      allow: true,
      rule: 'istio-system/mesh defaultAction',
    });
    expect(verdictOn(compiledPolicy(mesh + allowPaths('/a')), { from: 'shop/cart', asks: 'GET /b' })).toBe('refused');
    expect(verdictOn(compiledPolicy(''), { from: 'shop/cart', asks: 'GET /b' })).toBe('refused');
  });
});

const denyPathA = 'action: DENY\nrules: [{ to: [{ operation: { paths: [/a] } }] }]';

describe('a rule on trial counts for nothing and is named where it would have', () => {
  const trial = (action: string): string =>
    policy(
      `action: ${action}\nrules: [{ dryRun: true, to: [{ operation: { paths: [/a] } }] }]`,
      'name: trial, namespace: shop',
    );
  test.each([
    ['DENY', policy('allow: all'), 'GET /a', { allow: true, dryRun: ['would-deny'] }],
    ['DENY', policy('allow: all'), 'GET /b', { allow: true, dryRun: [] }],
    ['DENY', '', 'GET /a', { allow: false, dryRun: [] }],
    ['ALLOW', allowPaths('/b'), 'GET /a', { allow: false, dryRun: ['would-allow'] }],
    ['ALLOW', policy('allow: all'), 'GET /a', { allow: true, dryRun: [] }],
    ['ALLOW', policy(denyPathA), 'GET /a', { allow: false, dryRun: [] }],
  ])('%s beside %j, %s', (action, others, asks, { allow, dryRun }) => {
    expect(decisionOn(compiledPolicy(others + trial(action)), { from: 'shop/cart', asks })).toMatchObject({
      allow,
      dryRun: dryRun.map((verdict) => ({ verdict, rule: 'shop/trial rules[0]' })),
    });
  });
});

describe('an ALLOW policy on trial where a MeshPolicy lets everybody in', () => {
  const mesh = document('MeshPolicy', 'defaultAction: allow', 'name: mesh');
  const admits = (path: string, name: string, more = ''): string =>
    policy(
      `rules: [{ dryRun: true, to: [{ operation: { paths: [${path}] } }] }${more}]`,
      `name: ${name}, namespace: shop`,
    );
  const otherWorkload = admits('/b', 'far').replace('rules:', 'selector: { matchLabels: { app: other } }\n  rules:');
  const denyTrial = policy(
    'action: DENY\nrules: [{ dryRun: true, to: [{ operation: { paths: [/b] } }] }]',
    'name: no, namespace: shop',
  );
  test.each([
    ['admits what it names', admits('/a', 'one'), 'GET /a', []],
    ['would deny the rest', admits('/a', 'one'), 'GET /b', ['shop/one']],
    ['would deny what is opaque', admits('/a', 'one'), 'tcp', ['shop/one']],
    ['admits together with others on trial', admits('/a', 'one') + admits('/b', 'two'), 'GET /b', []],
    ['denies together with others', admits('/a', 'one') + admits('/b', 'two'), 'GET /c', ['shop/one', 'shop/two']],
    ['says nothing of another workload', otherWorkload, 'GET /a', []],
    ['is told beside a DENY', admits('/a', 'one') + denyTrial, 'GET /b', ['shop/no rules[0]', 'shop/one']],
    ['judges a path with and without its parameters', admits("'/a;v=1'", 'one'), 'GET /a;v=1', ['shop/one']],
  ])('%s, and decides nothing', (_, policies, asks, named) => {
    const decision = decisionOn(compiledPolicy(mesh + policies), { from: 'shop/cart', asks });
    expect(decision).toMatchObject({ allow: true, rule: 'istio-system/mesh defaultAction' });
    expect(decision.dryRun).toEqual(named.map((rule) => ({ verdict: 'would-deny', rule })));
  });

  test('counts with one rule that is in force', () => {
    const both = admits('/a', 'one', ', { to: [{ operation: { paths: [/b] } }] }');
    expect(verdictOn(compiledPolicy(mesh + both), { from: 'shop/cart', asks: 'GET /b' })).toBe('allowed');
    const decision = decisionOn(compiledPolicy(mesh + both), { from: 'shop/cart', asks: 'GET /a' });
    expect(decision).toMatchObject({ allow: false, dryRun: [{ verdict: 'would-allow', rule: 'shop/one rules[0]' }] });
  });
});

describe('scopes are methods and paths (S86)', () => {
  const templates = document(
    'ScopeTemplates',
    'scopes:\n- { scope: groups.documents.delete, method: DELETE, path: "/groups/{group}/documents/{document}" }\n- { scope: groups.read, method: GET, path: "/groups/{group}" }\n- { scope: groups.read, method: GET, path: /groups }',
    'name: scopes, namespace: istio-system',
  );
  const compiled = compiledPolicy(
    templates +
      policy(
        'rules: [{ from: [{ source: { namespaces: [shop] } }], to: [{ operation: { scopes: [groups.documents.delete, groups.read] } }] }]',
      ),
  );
  test.each([
    ['shop/cart', 'DELETE /groups/1/documents/2', 'allowed'],
    ['shop/cart', 'GET /groups/1', 'allowed'],
    ['shop/cart', 'GET /groups', 'allowed'],
    ['shop/cart', 'GET /groups/1/documents/2', 'refused'],
    ['shop/cart', 'DELETE /groups/1/documentsX/2', 'refused'],
    ['shop/cart', 'DELETE /groups/1', 'refused'],
    ['shop/cart', 'tcp', 'refused'],
    ['web/front', 'GET /groups', 'refused'],
  ])('%s asks %s: %s', (from, asks, verdict) => {
    const token = callToken({ scopes: ['groups.documents.delete', 'groups.read'] });
    expect(verdictOn(compiled, { from, asks, token })).toBe(verdict);
    expect(verdictOn(compiled, { from, asks }), 'without a token').toBe('refused');
  });
});

describe('a rule of more callers and paths than are kept one by one decides the same', () => {
  const [callers, paths] = [60, 60].map((count) => Array.from({ length: count }, (_, index) => index)) as [
    number[],
    number[],
  ];
  const principals = callers.map((index) => `prod.example/ns/shop/sa/c${index}`);
  const ports = Array.from({ length: 30 }, (_, index) => 8_080 + index);
  const compiled = compiledPolicy(
    policy(
      `rules: [{ from: [{ source: { principals: ${JSON.stringify(principals)} } }], to: [{ operation: { ports: ${JSON.stringify(ports)}, paths: ${JSON.stringify(paths.map((index) => `/p${index}`))} } }] }]`,
    ),
  );
  test.each([
    ['shop/c59', 'GET /p59', 'allowed'],
    ['shop/c60', 'GET /p59', 'refused'],
    ['shop/c0', 'GET /p60', 'refused'],
  ])('%s asks %s: %s', (from, asks, verdict) => {
    expect(verdictOn(compiled, { from, asks })).toBe(verdict);
    expect(verdictOn(compiled, { from, asks, port: 80 })).toBe('refused');
  });
});
