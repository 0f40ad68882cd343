import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eastwest } from '#support/command-line.ts';
import { freshFolder } from '#support/fresh-folder.ts';

const payments = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: payments }
spec:
  selector: { matchLabels: { app: payments } }
  rules:
    - from: [{ source: { principals: [shop.example/ns/default/sa/cart] } }]
      to: [{ operation: { methods: [GET], paths: [/prices/*] } }]
    - from: [{ source: { principals: [shop.example/ns/default/sa/cart] } }]
      to: [{ operation: { methods: [POST] } }]
      when: [{ key: "request.headers[x-env]", values: [prod] }]
`;

const modes = (name: string, label: string): string => `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: ${name} }
spec: { selector: { matchLabels: { ${label}: payments } } }
---
`;
const filesBeside: Readonly<Record<string, string>> = {
  'payments.yaml': payments,
  'modes.yaml': modes('a', 'app') + modes('b', 'app.kubernetes.io/name'),
};

async function tested(table: string, files = filesBeside) {
  await using folder = freshFolder();
  for (const [name, text] of Object.entries({ ...files, 'cases.yaml': table })) {
    writeFileSync(join(folder.path, name), text);
  }
  return await eastwest('policy test cases.yaml', folder.path);
}

describe('eastwest policy test (M8)', () => {
  test('prints nothing that steers a terminal', async () => {
    const { stdout } = await tested(`policies: [payments.yaml]
cases: [{ name: "\\e[2J", from: cart, to: payments, method: POST, path: /, headers: { X-Env: "\\e[2J" }, expect: allow }]
`);
    expect(stdout).toContain('failed: ?[2J (');
  });

  test('counts the cases that got what they expect', async () => {
    const ended = await tested(`policies: [payments.yaml]
cases:
  - { from: cart, to: payments, method: GET, path: /prices/1, expect: allow, rule: "default/payments rules[0]" }
  - { from: web, to: payments, method: GET, path: /prices/1, expect: deny }
  - { from: cart, to: payments, method: POST, path: /, headers: { X-Env: prod }, expect: allow }
  - { from: cart, to: payments, method: POST, path: /, headers: { X-Env: [prod, test] }, expect: deny }
  - { plaintext: true, to: payments, method: GET, path: /prices/1, expect: deny }
  - { from: cart, to: payments, port: 5432, expect: deny }
`);
    expect(ended).toEqual({ code: 0, stdout: '6 passed, 0 failed\n', stderr: '' });
  });

  test('says of each that did not what was expected, and why it is not so', async () => {
    const ended = await tested(`policies: [payments.yaml]
cases:
  - { from: cart, to: payments, method: GET, path: /prices/1, expect: allow }
  - { name: refunds are closed, from: cart, to: payments, method: GET, path: /refunds, expect: allow }
  - { from: cart, to: payments, method: GET, path: /prices/1, expect: allow, rule: "default/payments rules[1]" }
`);
    expect(ended).toEqual({
      code: 1,
      stderr: '',
      stdout: `failed: refunds are closed (cases.yaml:4): expected allow, got deny
  refused: GET /refunds
    from  spiffe://shop.example/ns/default/sa/cart
    to    default/payments, port 80, host payments
    why   no rule of the ALLOW policy for default/payments matches
failed: (cases.yaml:5): expected allow by default/payments rules[1], got allow by default/payments rules[0]
  allowed: GET /prices/1
    from  spiffe://shop.example/ns/default/sa/cart
    to    default/payments, port 80, host payments
    why   default/payments rules[0] allows it
1 passed, 2 failed
`,
    });
  });

  const table = (field: string) =>
    `policies: [payments.yaml]\ncases:\n  - from: cart\n    to: payments\n    ${field}\n`;
  test.each([
    [
      'an unknown field',
      table('expects: allow'),
      /cases\.yaml:5:5 cases\[0\]\.expects: there is no such field; did you mean expect\?/,
    ],
    [
      'one that has no like',
      table('frobnicate: 1'),
      /cases\.yaml:5:5 cases\[0\]\.frobnicate: there is no such field; there are name, from/,
    ],
    ['an unknown verdict', table('expect: maybe'), /cases\.yaml:5:5 cases\[0\]\.expect: write allow or deny\n/],
    [
      'a method without a path',
      table('method: GET\n    expect: deny'),
      /cases\.yaml:3:5 cases\[0\]: write method and path/,
    ],
    ['two callers', table('plaintext: true\n    expect: deny'), /cases\.yaml:3:5 cases\[0\]: write who calls/],
    [
      'a port that is none',
      table('port: 70000\n    expect: deny'),
      /cases\.yaml:5:5 cases\[0\]\.port: write 65535 or less\n/,
    ],
    ['a port in words', table('port: http\n    expect: deny'), /cases\.yaml:5:5 cases\[0\]\.port: write a number\n/],
    [
      'a verdict that is missing',
      table('host: a'),
      /cases\.yaml:3:5 cases\[0\]\.expect: is missing: write allow or deny\n/,
    ],
    [
      'a header that is no text',
      table('headers: { a: 1 }\n    expect: deny'),
      /cases\[0\]\.headers\.a: write a text, or a list/,
    ],
    [
      'several problems, from top to bottom',
      table('expect: maybe').replace('cart', '1'),
      /cases\.yaml:3:5 cases\[0\]\.from: write a text\n.*cases\.yaml:5:5 cases\[0\]\.expect: /,
    ],
    [
      'policies that contradict each other for a workload',
      'policies: [modes.yaml]\ncases: [{ from: cart, to: payments, method: GET, path: /, expect: deny }]\n',
      /\nmodes\.yaml:9:\d+ spec\.selector: default\/b: is about the same workload as default\/a: /,
    ],
    [
      'a call that cannot be',
      table('method: GET\n    path: /%2f\n    expect: deny'),
      /cases\.yaml:3: "\/%2f" is no path that an agent lets pass \(encoded-slash\)/,
    ],
    ['no cases', 'policies: [payments.yaml]\ncases: []\n', /cases\.yaml:2:1 cases: is empty: write something there/],
    ['nothing', '', /cases\.yaml:1:1: holds no table/],
    ['no YAML', 'a: [', /cases\.yaml:\d+:\d+: /],
    [
      'a folder without policies',
      'policies: [.]\ncases: [{ from: a, to: b, port: 1, expect: deny }]\n',
      /cannot be read/,
    ],
    [
      'a file that is not there',
      'policies: [x.yaml]\ncases: [{ from: a, to: b, port: 1, expect: deny }]\n',
      /there is no .*x\.yaml/,
    ],
  ])('refuses a table with %s', async (_, text, problem) => {
    expect(await tested(text)).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(problem) });
  });

  test('needs a table', async () => {
    await using folder = freshFolder();
    const ended = await eastwest('policy test cases.yaml', folder.path);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: .*cases\.yaml cannot be read: /) });
  });
});
