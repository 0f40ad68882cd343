import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eastwest } from '#support/command-line.ts';
import { freshFolder, type FreshFolder } from '#support/fresh-folder.ts';

const payments = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: payments, namespace: default }
spec:
  selector: { matchLabels: { app: payments } }
  rules:
    - from: [{ source: { principals: [shop.example/ns/default/sa/cart] } }]
      to: [{ operation: { methods: [GET], paths: [/prices/*] } }]
`;

function policiesIn(
  folder: FreshFolder,
  files: Readonly<Record<string, string>> = { 'payments.yaml': payments },
): void {
  mkdirSync(join(folder.path, 'policies'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder.path, 'policies', name), text);
}

describe('eastwest explain (M8)', () => {
  test.each([
    ['--from cart --to payments GET /prices/1', 0, 'allowed: GET /prices/1\n'],
    ['--from cart --to payments GET /a/../prices//1?currency=eur', 0, 'allowed: GET /prices/1\n'],
    ['--from default/cart --to default/payments GET /prices/1', 0, 'allowed: '],
    ['--from spiffe://shop.example/ns/default/sa/cart --to payments GET /prices/1', 0, 'allowed: '],
    ['--from shop.example/ns/default/sa/cart --to payments GET /prices/1', 0, 'allowed: '],
    ['--from cart --to spiffe://shop.example/ns/default/sa/payments GET /prices/1', 0, 'allowed: '],
    ['--from cart --trust-domain other.example --to payments GET /prices/1', 1, 'refused: '],
    ['--from shop/cart --to payments GET /prices/1', 1, 'from  spiffe://shop.example/ns/shop/sa/cart\n'],
    ['--from cart --to payments POST /prices/1', 1, 'refused: POST /prices/1\n'],
    ['--from far.example/ns/default/sa/cart --to payments GET /prices/1', 1, 'wants shop.example/ns/default/sa/cart\n'],
    ['--from cart --to orders GET /prices/1', 1, 'default/payments: other labels\n'],
    ['--from cart --to shop/payments GET /prices/1', 1, 'default/payments: other namespace\n'],
    ['--plaintext --to payments GET /prices/1', 1, 'a caller without an identity\n'],
    ['--plaintext --to payments GET /prices/1', 1, 'port 80 is STRICT by these documents'],
    ['--from cart --to payments --port 5432', 1, 'refused: an opaque call\n'],
  ])('%s ends with %d: %s', async (question, code, told) => {
    await using folder = freshFolder();
    policiesIn(folder);
    const ended = await eastwest(`explain --policies policies ${question}`, folder.path);
    expect(ended).toEqual({ code, stderr: '', stdout: expect.stringContaining(told) });
  });
});

describe('where no policy names a trust domain', () => {
  const open = payments.replace('principals: [shop.example/ns/default/sa/cart]', 'namespaces: [default]');
  test.each([
    ['--from foreign.example/ns/default/sa/a --to payments', 2, 'error: payments may be of any trust domain'],
    ['--from spiffe://foreign.example/ns/default/sa/a --to payments', 2, 'fix: say which with --trust-domain'],
    ['--from foreign.example/ns/default/sa/a --to payments --trust-domain own.example', 1, 'refused: '],
    ['--from foreign.example/ns/default/sa/a --to own.example/ns/default/sa/payments', 1, 'refused: '],
    ['--from own.example/ns/default/sa/a --to payments --trust-domain own.example', 0, 'allowed: '],
    ['--from a --to payments', 0, 'from  spiffe://example.org/ns/default/sa/a\n'],
  ])('a caller lends its own to nobody (A44): %s ends with %d', async (question, code, told) => {
    await using folder = freshFolder();
    policiesIn(folder, { 'open.yaml': open });
    const ended = await eastwest(`explain --policies policies ${question} GET /prices/1`, folder.path);
    expect({ code: ended.code, told: ended.stdout + ended.stderr }).toEqual({
      code,
      told: expect.stringContaining(told),
    });
  });
});

test('what documents say cannot steer the terminal, or add lines to what is told', async () => {
  await using folder = freshFolder();
  const bad = '\\e[2J\\nallowed: all\\u202e';
  policiesIn(folder, {
    'bad.yaml': `apiVersion: eastwest.dev/v1
kind: DenyList
metadata: { name: leak, namespace: istio-system }
spec: { entries: [{ spiffeId: spiffe://shop.example/ns/default/sa/cart, reason: "${bad}" }] }
---
apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata: { name: payments, namespace: default }
spec: { rules: [{ when: [{ key: 'request.headers[x-env]', values: ["${bad}"] }] }] }
`,
    'key.yaml': payments.replace('  rules:\n', '  rules:\n    - when: [{ key: "\\e[2J\\u202e", values: [a] }]\n'),
  });
  const question = '--from cart --to payments GET /';
  const explained = await eastwest(`explain --policies policies/bad.yaml ${question}`, folder.path);
  const refused = await eastwest(`explain --policies policies/key.yaml ${question}`, folder.path);
  expect(explained.stdout).toContain('whatever rules say: ?[2J?allowed: all?\n');
  expect(explained.stdout).toContain('wants ?[2J?allowed: all?\n');
  expect(refused.stderr).toContain('there is no key ?[2J?: write');
});

describe('a question that eastwest explain cannot answer', () => {
  const question = '--from cart --to payments GET /';
  test.each([
    [question, 'error: --policies is missing', 'write --policies FILE|DIR'],
    ['--policies policies --to payments GET /', 'error: --from is missing', 'say who calls: --from cart'],
    ['--policies policies --from cart GET /', 'error: --to is missing', 'say who is called: --to payments'],
    [`--policies policies --plaintext ${question}`, 'error: --plaintext contradicts --from', 'keep one of them'],
    [`--policies nowhere ${question}`, 'error: there is no ', 'name a file or a folder of policies'],
    [`--policies policies --port 0 ${question}`, 'error: 0 is no port', 'write one of 1 to 65535'],
    [`--policies policies --header x-env ${question}`, 'error: "x-env" is no header', "write --header 'x-env: test'"],
    [
      `--policies policies --trust-domain A ${question}`,
      'error: A is no trust domain',
      'write one such as prod.example',
    ],
    ['--policies policies --from a//b/c --to payments GET /', 'error: a//b/c is no SPIFFE ID', 'write cart'],
    ['--policies policies --from a,b --to payments GET /', 'error: a,b is no workload', 'write cart'],
    ['--policies policies --from cart --to a:b GET /', 'error: a:b is no workload', 'write payments'],
    ['--policies policies --from cart --to payments GET x', 'error: "x" is no path', 'write the path as it is called'],
    ['--policies policies --from cart --to payments G(T /', 'error: G(T is no method', 'write e.g. GET'],
    [
      '--policies policies --from cart --to payments',
      'error: an opaque call needs a port',
      'say which is called: --port N',
    ],
    [
      '--policies policies --from cart --to payments --host a',
      'error: an opaque call has no host',
      'write method and path',
    ],
  ])('%s', async (words, error, fix) => {
    await using folder = freshFolder();
    policiesIn(folder);
    const ended = await eastwest(`explain ${words}`, folder.path);
    expect(ended).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining(error) });
    expect(ended.stderr).toContain(fix);
  });

  const modes = (name: string, label: string): string => `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: ${name}, namespace: default }
spec:
  selector: { matchLabels: { ${label}: payments } }
`;
  const named = payments.replace('methods: [GET]', 'ports: ["8080", "443"]');
  const ofAnother = payments.replace('name: payments', 'name: other').replace('shop.example', 'other.example');
  const scoped = payments.replace('methods: [GET]', 'scopes: [x]').replace('security.istio.io', 'eastwest.dev');
  test.each<[string, Readonly<Record<string, string>>, string]>([
    ['names ports, and none is asked for', { 'a.yaml': named }, 'error: the policies name ports (443, 8080)\n'],
    [
      'is of two trust domains',
      { 'a.yaml': payments, 'b.yaml': ofAnother },
      'payments may be of other.example or shop.example',
    ],
    [
      'is there twice',
      { 'a.yaml': payments, 'b.yaml': payments },
      'there are two of AuthorizationPolicy default/payments',
    ],
    [
      'is wrong',
      { 'a.yaml': payments.replace('paths', 'path') },
      'policies/a.yaml:8:43 spec.rules[0].to[0].operation.path: ',
    ],
    ['would not be loaded', { 'a.yaml': scoped }, 'policies/a.yaml:8:36 spec.rules[0].to[0].operation.scopes[0]: '],
    [
      'contradicts another for that workload',
      { 'a.yaml': modes('a', 'app'), 'b.yaml': modes('b', 'app.kubernetes.io/name') },
      'policies/b.yaml:5:3 spec.selector: default/b: is about the same workload as default/a: delete one',
    ],
    ['is not there', { 'a.txt': payments }, 'holds no policies'],
  ])('where a policy %s', async (_, files, error) => {
    await using folder = freshFolder();
    policiesIn(folder, files);
    const ended = await eastwest(`explain --policies policies ${question}`, folder.path);
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(error) });
  });
});

test('eastwest explain reads several files, headers and a deny list that is in force', async () => {
  await using folder = freshFolder();
  const conditional = payments
    .replace('methods: [GET], ', '')
    .concat('      when: [{ key: "request.headers[x-env]", values: [a, b] }]\n');
  const denyList = (expires: string) => `apiVersion: eastwest.dev/v1
kind: DenyList
metadata: { name: lost, namespace: default }
spec: { entries: [{ spiffeId: "spiffe://shop.example/ns/default/sa/cart", reason: stolen, expiresAt: "${expires}" }] }
`;
  policiesIn(folder, {
    'a.yaml': conditional,
    'old.yaml': denyList('2001-01-01T00:00:00Z'),
    'new.yaml': denyList('2999-01-01T00:00:00Z'),
  });
  const ask = (...policies: readonly string[]) =>
    eastwest(
      [
        'explain',
        ...policies.flatMap((file) => ['--policies', `policies/${file}`]),
        '--from',
        'cart',
        '--to',
        'payments',
      ].concat(['--header', 'X-Env: a', '--header', 'x-env: b', 'PUT', '/prices/1', '--json']),
      folder.path,
    );
  const allowed = await ask('a.yaml', 'old.yaml');
  expect(allowed).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(allowed.stdout)).toMatchObject({
    verdict: 'allow',
    decision: { rule: 'default/payments rules[0]' },
  });
  const refused = await ask('a.yaml', 'new.yaml');
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.stdout)).toMatchObject({
    verdict: 'deny',
    denyLists: [{ list: 'default/lost', reason: 'stolen', expiresAtMs: Date.UTC(2999, 0) }],
  });
});
