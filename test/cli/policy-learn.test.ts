import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { accessLogLine, accessLogText } from '#support/access-lines.ts';
import { runCommandLine } from '#support/command-line.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { freshFolder, type Ended, type FreshFolder } from '#support/fresh-folder.ts';
import { startTestControlPlane } from '#support/start-control-plane.ts';

let folder: FreshFolder;
beforeEach(() => {
  folder = freshFolder();
  return () => folder[Symbol.asyncDispose]();
});

const clock = createFakeClock(Date.UTC(2026, 2, 1, 13));
const write = (name: string, text: string | Uint8Array) => writeFileSync(join(folder.path, name), text);
const read = (name: string) => readFileSync(join(folder.path, name), 'utf8');
const run = (line: string, stdin = ''): Promise<Ended> =>
  runCommandLine(line, { cwd: folder.path, stdin: Readable.from([Buffer.from(stdin)]), clock });
const learn = (line = '', stdin = '') => run(`policy learn ${line}`.trim(), stdin);
const learnJson = async (line: string, stdin = '') => {
  const { code, stdout, stderr } = await learn(`${line} --json`, stdin);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
};

const denied = { outcome: 'denied', status: 403, decisionId: 'd', reason: 'no-rule-matches', path: '/secret' };

const learnedPrices = (...paths: readonly string[]): string => `apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata:
  name: learned-prices
  namespace: shop
spec:
  selector:
    matchLabels:
      app: prices
  action: ALLOW
  rules:
    - from:
        - source:
            principals:
              - shop.example/ns/shop/sa/cart
      to:
        - operation:
            ports:
              - 7002
            methods:
              - GET
            paths:
${paths.map((path) => `              - ${path}\n`).join('')}`;

const documentsIn = (text: string): string => text.replaceAll(/^#.*\n/gm, '');

describe('eastwest policy learn', () => {
  test('reads the access logs of an up, says from what it learned, and writes what can be applied', async () => {
    mkdirSync(join(folder.path, '.eastwest', 'logs'), { recursive: true });
    const later = { path: '/prices/cake', time: '2026-03-01T12:30:00.000Z' };
    write('.eastwest/logs/prices.access.log', accessLogText({}, later, denied));
    write('.eastwest/logs/prices.access.log.1', accessLogText({}));
    write('.eastwest/logs/prices.agent.log', 'not read');
    const { code, stdout, stderr } = await learn();
    expect(code).toBe(0);
    expect(documentsIn(stdout)).toBe(learnedPrices('/prices/cake', '/prices/tea'));
    expect(stdout).toMatch(
      /^# Learned by .*\n# 3 calls of 1 caller to 1 workload, 2026-03-01T12:00:00\.000Z to 2026-03-01T12:30:00\.000Z\.\n/,
    );
    expect(stdout).toContain(
      '# Refused for want of a rule, and not learned:\n' +
        '#   shop.example/ns/shop/sa/cart  to  shop/prices:7002  GET  /secret  (1 call)\n',
    );
    expect(stderr).toMatch(/^learned from 3 calls .*\nnot compared: no control plane runs .*--policies FILE/);
  });

  test('counts what it passes over and goes on', async () => {
    const lines = [
      '{"time":',
      'x'.repeat(1_100_000),
      '{"event":"agent.ready"}',
      accessLogLine({ direction: 'outbound' }),
      accessLogLine({ peer: undefined }),
      accessLogLine({ peer: undefined }),
      accessLogLine({ spiffeId: undefined }),
      accessLogLine({ path: '/a/{b}' }),
      accessLogLine({ outcome: 'failed' }),
      accessLogLine({ outcome: 'denied', reason: 'denied-by-rule' }),
      accessLogLine({ outcome: 'denied', reason: 'no-such-port' }),
      accessLogLine({ outcome: 'denied' }),
      '',
      accessLogLine(),
    ];
    write('a.log', lines.join('\n'));
    const found = await learnJson('a.log');
    expect(found).toMatchObject({
      lines: 13,
      learned: 1,
      leftOut: {
        broken: 1,
        'too-long': 1,
        foreign: 1,
        'other-direction': 1,
        plaintext: 2,
        unnamed: 1,
        unwritable: 1,
        failed: 1,
        'refused: denied-by-rule': 1,
        'refused: no-such-port': 1,
        'refused: not said': 1,
      },
      plaintext: { 'shop/prices:7002': 2 },
    });
    const { stdout } = await learn('a.log');
    expect(stdout).toContain('#   2 lines of callers without a certificate: see `eastwest strict-check`\n');
    expect(stdout).toContain('#     without a certificate to shop/prices:7002 (2 calls)\n');
    expect(stdout).toContain('#   1 line of calls refused denied-by-rule\n');
    expect(documentsIn(stdout)).toBe(learnedPrices('/prices/tea'));
  });

  test('reads folders, what was turned over and compressed, and standard input', async () => {
    mkdirSync(join(folder.path, 'logs'));
    write('logs/access.log', accessLogText({ path: '/1' }));
    write('logs/access.log.1', accessLogText({ path: '/2' }));
    write('logs/access.log.2.gz', gzipSync(accessLogText({ path: '/3' })));
    write('logs/prices-access.jsonl', accessLogText({ path: '/4' }));
    write('logs/other.log', 'not read');
    const { stdout } = await learn('logs -', accessLogText({ path: '/5' }));
    expect(documentsIn(stdout)).toBe(learnedPrices('/1', '/2', '/3', '/4', '/5'));
  });

  test('learns what was refused only when it is told to, and only where a rule was wanting (A46)', async () => {
    write('a.log', accessLogText({}, denied, { ...denied, path: '/shut', reason: 'denied-by-list' }));
    expect(documentsIn((await learn('a.log')).stdout)).toBe(learnedPrices('/prices/tea'));
    const { stdout } = await learn('a.log --include-denied');
    expect(documentsIn(stdout)).toBe(learnedPrices('/prices/tea', '/secret'));
    expect(stdout).toContain('# 2 calls (1 of them refused) of 1 caller to 1 workload, ');
    expect(stdout).toContain('#   1 line of calls refused denied-by-list\n');
  });

  test('takes the time, the workload and the count of values that it is given', async () => {
    const times = { time: '2026-03-01T12:45:00.000Z' };
    write(
      'a.log',
      accessLogText(
        ...['/id/1', '/id/2', '/id/3'].map((path) => ({ path, ...times })),
        { path: '/old' },
        { ...times, workload: 'orders', destination: 'orders:1' },
      ),
    );
    for (const since of ['20m', '2026-03-01T12:45:00Z']) {
      const { stdout } = await learn(`a.log --since ${since} --to shop/prices --min-values 3`);
      expect(documentsIn(stdout)).toBe(learnedPrices('/id/{*}'));
      expect(stdout).toContain('#   1 line from before --since\n#   1 line of calls to other workloads than --to\n');
    }
    const { policies } = await learnJson('a.log');
    expect(policies).toHaveLength(2);
  });

  test('writes over no file, unless it is told to', async () => {
    write('a.log', accessLogText({}));
    const first = await learn('a.log --out b.yaml');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/^learned from .*\nnot compared: .*\nwritten to b\.yaml\n$/);
    expect(documentsIn(read('b.yaml'))).toBe(learnedPrices('/prices/tea'));
    write('b.yaml', 'mine');
    expect(await learn('a.log --out b.yaml')).toMatchObject({ code: 2, stdout: '' });
    expect(read('b.yaml')).toBe('mine');
    expect(await learn('a.log --out b.yaml --force')).toMatchObject({ code: 0 });
    expect(read('b.yaml')).toContain('learned-prices');
    expect(await learn('a.log --out none/b.yaml')).toMatchObject({ code: 1 });
  });

  test.each([
    ['', '', 'wrote no access logs in'],
    ['none.log', '', 'there is no '],
    ['.', '', 'holds no access logs'],
    ['-', 'hello\n{}\n', 'none of 2 lines is of an access log'],
    ['- -', '', '- is given twice'],
    ['broken.gz', '', 'cannot be read'],
    ['- --since yesterday', '', '--since yesterday is no time'],
    ['- --min-values 1', '', '--min-values 1 is no count'],
    ['- --policies none.yaml', '', 'there is no '],
    ['- --policies a --data-dir b', '', 'both say what to compare with'],
  ])('of %j ends with 2 where that cannot be read', async (line, stdin, problem) => {
    write('broken.gz', gzipSync(accessLogText({})).subarray(0, 40));
    expect(await learn(line, stdin)).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining(problem) });
  });

  test('learns nothing from nothing', async () => {
    const { code, stdout, stderr } = await learn('-');
    expect({ code, documents: documentsIn(stdout) }).toEqual({ code: 0, documents: '' });
    expect(stderr).toContain('learned from 0 calls of 0 callers to 0 workloads\n');
  });
});

const rule = (fields: string): string => `{ to: [{ operation: { ${fields} } }] }`;
const own = (rules: readonly string[]): string => `apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata: { name: own, namespace: shop }
spec: { rules: [${rules.join(', ')}] }
`;

describe('beside current policies', () => {
  test('it shows what would come, which rules no call needed, and which calls no rule allows', async () => {
    write('a.log', accessLogText({}, { path: '/new' }, { path: '/shut' }, { path: '/host' }));
    const deny = own([rule('paths: [/shut]')])
      .replace('name: own', 'name: shut')
      .replace('{ rules', '{ action: DENY, rules');
    write(
      'own.yaml',
      own([rule("paths: ['/prices/*']"), rule('paths: [/unused]'), rule('hosts: [a], paths: [/host]')]),
    );
    write('deny.yaml', deny);
    write('learned.yaml', learnedPrices('/gone', '/prices/tea'));
    const { stdout } = await learn(
      'a.log --policies own.yaml --policies deny.yaml --policies learned.yaml --out new.yaml',
    );
    expect(stdout.slice(stdout.indexOf('\n') + 1, stdout.indexOf('written to')))
      .toBe(`changed AuthorizationPolicy/shop/learned-prices
  …
              methods:
                - GET
              paths:
-               - /gone
+               - /host
+               - /new
                - /prices/tea
+               - /shut

ALLOW rules that no call needed; without all of them each is allowed as before:
  shop/own rules[1]
  shop/learned-prices rules[0]

ALLOW rules of which the log cannot tell, for they ask for hosts, headers or tokens:
  shop/own rules[2]

Calls that no current rule allows:
  shop.example/ns/shop/sa/cart  to  shop/prices:7002  GET  /new  (1 call)

Calls that a current rule denies, whatever is learned:
  shop.example/ns/shop/sa/cart  to  shop/prices:7002  GET  /shut  (1 call)

Calls that only a rule with hosts, headers or tokens may allow: 1
`);
  });

  test('it asks a control plane, which takes what was learned; then nothing is left to say', async () => {
    await using mesh = await startTestControlPlane();
    write('a.log', accessLogText({}, { ...denied, outcome: 'ok', reason: undefined }));
    const first = await learn(`a.log --data-dir ${mesh.dataDir} --out learned.yaml`);
    expect(first.stdout).toContain('created AuthorizationPolicy/shop/learned-prices\n+ apiVersion: eastwest.dev/v1\n');
    expect(first.stdout).toContain('Calls that no current rule allows:\n');
    expect(await run(`policy apply learned.yaml --data-dir ${mesh.dataDir}`)).toMatchObject({ code: 0, stderr: '' });
    const { comparison } = await learnJson(`a.log --data-dir ${mesh.dataDir}`);
    expect(comparison).toEqual({
      changes: [{ outcome: 'unchanged', policy: 'AuthorizationPolicy/shop/learned-prices', lines: [] }],
      rules: { unused: [], untold: [], unseen: [] },
      notAllowed: [],
      nowDenied: [],
      perhapsAllowed: 0,
    });
  });

  test('policies that no agent would load are told', async () => {
    write('a.log', accessLogText({}));
    write('own.yaml', own([rule('scopes: [prices.read]')]));
    const { code, stderr } = await learn('a.log --policies own.yaml');
    expect(code).toBe(2);
    expect(stderr).toContain(
      'no agent would load the current policies:\nshop/own: spec.rules[0].to[0].operation.scopes[0]',
    );
  });
});
