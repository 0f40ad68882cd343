import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { diffLines } from '#cli/policy/line-diff.ts';
import { runCommandLine } from '#support/command-line.ts';
import { freshFolder, type FreshFolder } from '#support/fresh-folder.ts';
import { allowText, documents } from '#support/mesh-policies.ts';
import { startTestControlPlane, type TestControlPlane } from '#support/start-control-plane.ts';

let mesh: TestControlPlane;
let folder: FreshFolder;
beforeAll(async () => void (mesh = await startTestControlPlane()));
afterAll(() => mesh[Symbol.asyncDispose]());
beforeEach(async () => {
  folder = freshFolder();
  const { policies } = mesh.admin;
  const options = { deadlineMs: 5_000, signal: new AbortController().signal };
  const all = await policies.list(options);
  for (const policy of all.ok ? all.value.policies : []) await policies.delete(policy, options);
  return () => folder[Symbol.asyncDispose]();
});

const write = (name: string, text: string) => writeFileSync(join(folder.path, name), text);
/** One command line in the test's folder, with that control plane; `stdin` for `-`. */
const policy = (line: string, stdin = '') =>
  runCommandLine(`policy ${line} --data-dir ${mesh.dataDir}`, { cwd: folder.path, stdin: Readable.from([stdin]) });
const jsonOf = (name: string): string =>
  JSON.stringify({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace: 'default' },
    spec: { rules: [] },
  });
const key = 'AuthorizationPolicy/default';

describe('eastwest policy apply', () => {
  test('prints what became of each document, of files and of standard input', async () => {
    write('a.yaml', allowText('one'));
    write('b.yaml', documents(allowText('two'), allowText('three')));
    const first = await policy('apply a.yaml b.yaml');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(
      new RegExp(`^created    ${key}/one\ncreated    ${key}/two\ncreated    ${key}/three\nrevision \\d+\n$`),
    );
    const second = await policy('apply -', documents(allowText('one'), allowText('two', { path: '/x' })));
    expect(second.stdout).toMatch(/^unchanged {2}.*\/one\nchanged {4}.*\/two\nrevision \d+\n$/);
  });

  test('takes what lies right inside a folder, as `diff` does', async () => {
    mkdirSync(join(folder.path, 'policies'));
    write('policies/a.yaml', allowText('one'));
    write('policies/b.json', jsonOf('two'));
    write('policies/notes.txt', 'no policy');
    expect((await policy('diff policies')).stdout).toMatch(/created .*\/one\n[^]*created .*\/two\n/);
    expect((await policy('apply policies')).stdout).toMatch(/^created .*\/one\ncreated .*\/two\nrevision \d+\n$/);
    write('policies/a.yaml', allowText('one').replace('methods', 'method').replace('action', 'act'));
    expect((await policy('apply policies')).stderr).toMatch(
      /^policies\/a\.yaml:5:3 spec\.act: .*\npolicies\/a\.yaml:8:/,
    );
    expect(await policy('apply policies policies/a.yaml')).toMatchObject({ code: 2 });
  });

  test('changes nothing when one document is bad, and says where (A67)', async () => {
    write('a.yaml', allowText('one'));
    write('b.yaml', allowText('two').replace('methods', 'method'));
    const { code, stdout, stderr } = await policy('apply a.yaml b.yaml');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^b\.yaml:8:\d+ spec\.rules\[0\]\.to\[0\]\.operation\.method: .*\nnothing was changed\n$/);
    expect((await policy('get')).stdout).not.toContain('one');
  });

  test('tells what may not be meant beside what is in force', async () => {
    const other = allowText('one').replace('shop.example/', 'cluster.local/');
    const { code, stdout, stderr } = await policy('apply -', other);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^created .*\nrevision \d+\n$/) });
    expect(stderr).toMatch(
      /^\(standard input\):7:\d+ spec\.rules\[0\]\.from\[0\]\.source\.principals: warning: names the trust domain cluster\.local, .*\n$/,
    );
  });

  test('with --dry-run only says what would happen', async () => {
    write('a.yaml', allowText('one'));
    const { code, stdout } = await policy('apply a.yaml --dry-run');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `created    ${key}/one\nnothing was changed: --dry-run\n` });
    expect((await policy('get')).stdout).not.toContain('one');
  });

  test.each([
    ['apply', 2, 'FILE|DIR… is missing'],
    ['apply none.yaml', 1, 'cannot read'],
    ['apply - -', 2, '- is given twice'],
    ['delete one', 2, 'one names no policy'],
    [`delete ${key}/one`, 1, `there is no ${key}/one`],
    ['get one', 1, 'there is no policy one'],
    ['diff', 2, 'FILE|DIR… is missing'],
    ['apply .', 2, 'holds no policies'],
    ['apply -', 1, 'there is no document in (standard input)'],
    ['status now', 2, 'does not know what to do with `now`'],
  ])('%s ends with %d', async (line, code, stderr) => {
    expect(await policy(line)).toEqual({ code, stdout: '', stderr: expect.stringContaining(stderr) });
  });
});

test('eastwest policy get lists all, and prints one as it can be applied again', async () => {
  await policy('apply -', documents(allowText('two'), allowText('one', { namespace: 'shop' })));
  const { stdout: table } = await policy('get');
  expect(table.replaceAll(/ \d+ {2,}/g, ' N  ')).toBe(
    [
      'KIND                 NAMESPACE  NAME  REVISION  SOURCE',
      'AuthorizationPolicy  default    two   N  (applied)',
      'AuthorizationPolicy  shop       one   N  (applied)',
      '',
    ].join('\n'),
  );
  const { stdout: yaml } = await policy('get shop/one');
  expect((await policy('apply -', yaml)).stdout).toMatch(/^unchanged {2}AuthorizationPolicy\/shop\/one\n/);
  const json = JSON.parse((await policy('get one --json')).stdout) as unknown;
  expect(json).toMatchObject([{ namespace: 'shop', name: 'one', source: '', document: { spec: { action: 'ALLOW' } } }]);
});

test('eastwest policy diff shows the lines that would go and come', async () => {
  await policy('apply -', allowText('one'));
  write('same.yaml', allowText('one'));
  expect(await policy('diff same.yaml')).toEqual({ code: 0, stdout: '', stderr: '' });
  write('other.yaml', documents(allowText('one', { path: '/other' }), allowText('two')));
  const { code, stdout } = await policy('diff other.yaml');
  expect(code).toBe(3);
  expect(stdout).toContain(`changed ${key}/one\n  …\n`);
  expect(stdout).toMatch(/- +- \/prices\n\+ +- \/other\n/);
  expect(stdout).toContain(`created ${key}/two\n+ apiVersion: security.istio.io/v1\n`);
  expect((await policy('get one')).stdout).toContain('/prices');
});

test('a mesh that is open to everybody is told so by apply, diff and status', async () => {
  const open = `apiVersion: eastwest.dev/v1\nkind: MeshPolicy\nmetadata: { name: mesh }\nspec: { defaultAction: allow }\n`;
  const warning =
    /^\(standard input\):4:\d+ spec\.defaultAction: warning: lets everybody of this trust domain call every /;
  expect((await policy('status')).stdout).not.toContain('open:');
  expect(await policy('diff -', open)).toMatchObject({ code: 3, stderr: expect.stringMatching(warning) });
  expect(await policy('apply -', open)).toMatchObject({ code: 0, stderr: expect.stringMatching(warning) });
  expect((await policy('status')).stdout).toMatch(
    /^revision \d+, 1 document\nopen: MeshPolicy\/\S*\/mesh \(defaultAction: allow\) lets everybody call what no ALLOW policy selects\n/,
  );
  expect(JSON.parse((await policy('status --json')).stdout)).toMatchObject({
    openedBy: expect.stringMatching(/\/mesh$/),
  });
  await policy('apply -', open.replace('allow', 'deny'));
  expect((await policy('status')).stdout).not.toContain('open:');
});

test('eastwest policy delete takes one out', async () => {
  await policy('apply -', documents(allowText('one'), allowText('two')));
  const { code, stdout } = await policy(`delete ${key}/one`);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^deleted {4}.*\/one\nrevision \d+\n$/) });
  expect((await policy('get')).stdout).not.toContain('one');
});

test('eastwest policy status names who is behind, and ends with 3 while somebody is', async () => {
  const leave = new AbortController();
  onTestFinished(() => leave.abort());
  const stream = mesh.client(await mesh.join('prices')).watch(leave.signal);
  await stream.send({ kind: 'subscribe', upstreams: [], endpoints: [], agentVersion: 'test', ports: [] });
  const answers = { problem: '' };
  void (async () => {
    for await (const { version, kind } of stream.messages) {
      await stream.send({ kind: 'acknowledge', version, problem: kind === 'policies' ? answers.problem : '' });
    }
  })().catch(() => undefined);
  await expect.poll(async () => (await policy('status')).stdout).toMatch(/prices +1 +1 +0/);
  expect((await policy('status')).code).toBe(0);
  answers.problem = 'spec.rules[0]: no\u001b[2J';
  await policy('apply -', allowText('one'));
  await expect
    .poll(async () => (await policy('status')).stdout)
    .toMatch(
      /^revision \d+, 1 document\nWORKLOAD {2}AGENTS {2}CURRENT {2}BEHIND\nprices {4}1 {7}0 {8}1\nprices at 127\.0\.0\.1:\d+ has revision \d+, behind for 0s, refused: spec\.rules\[0\]: no\?\[2J\n$/,
    );
  const { code, stdout } = await policy('status --json');
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({
    documents: 1,
    workloads: [
      { name: 'prices', behind: [{ problem: 'spec.rules[0]: no\u001b[2J', since: expect.stringMatching(/Z$/) }] },
    ],
  });
});

test.each([
  ['a b c', 'a b c', []],
  ['a b c', 'a x c', ['  a', '- b', '+ x', '  c']],
  ['', 'a', ['+ a']],
  ['a b', 'b', ['- a', '  b']],
  ['1 2 3 4 5 6', '1 2 3 4 5 6 7', ['  …', '  4', '  5', '  6', '+ 7']],
  ['a b c d', 'b x d', ['- a', '  b', '- c', '+ x', '  d']],
])('the lines "%s" become "%s"', (before, after, expected) => {
  const words = (text: string) => text.split(' ').filter((word) => word !== '');
  const lines = diffLines(words(before), words(after));
  expect(lines.some((line) => !line.startsWith('  ')) ? lines : []).toEqual(expected);
});
