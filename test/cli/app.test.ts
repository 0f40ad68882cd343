import { chmodSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { storeFile } from '#control-plane/data-dir.ts';
import { runCommandLine } from '#support/command-line.ts';
import { freshFolder, type Ended, type FreshFolder } from '#support/fresh-folder.ts';
import { clientText, serviceText } from '#support/registrations.ts';
import { findSecrets, readFolder } from '#support/secret-scan.ts';
import { startTestControlPlane, type TestControlPlane } from '#support/start-control-plane.ts';

let mesh: TestControlPlane;
let folder: FreshFolder;
beforeEach(async () => {
  folder = freshFolder();
  mesh = await startTestControlPlane();
});
afterEach(async () => {
  await mesh[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const write = (name: string, text: string, mode = 0o600): void => {
  writeFileSync(join(folder.path, name), text);
  chmodSync(join(folder.path, name), mode);
};
interface Asked {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}
const run = (line: string, { stdin = '', env = {} }: Asked = {}): Promise<Ended> =>
  runCommandLine(`${line} --data-dir ${mesh.dataDir}`, { cwd: folder.path, stdin: Readable.from([stdin]), env });
const register = (...texts: readonly string[]) => run('app register -', { stdin: texts.join('\n---\n') });
/** An operator whose credential is in the file `NAME.credential`. */
async function addOperator(name: string, ...roles: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await run(`operator add ${name} ${roles.map((role) => `--role ${role}`).join(' ')}`);
  if (code !== 0) throw new Error(stderr);
  write(`${name}.credential`, stdout);
}
const secretForm = /ewc1\.[0-9a-f]{16}\.[\w-]{43}/;

describe('eastwest app register', () => {
  test('prints what became of each document, and a new secret once', async () => {
    const first = await register(serviceText(), clientText());
    expect(first.code).toBe(0);
    expect(first.stdout.replace(secretForm, 'SECRET')).toBe(
      'registered  Service/payments  revision 1\nregistered  Client/billing  revision 1\nsecret      Client/billing  SECRET\n',
    );
    expect(first.stderr).toBe('a secret is shown this once: keep it\n');
    expect(mesh.controlPlane.registry.client('billing')).toMatchObject({ ok: true });
    write('a.yaml', clientText('billing', { maxLifetime: '1m' }));
    expect(await run('app register a.yaml')).toEqual({
      code: 0,
      stdout: 'changed     Client/billing  revision 2\n',
      stderr: '',
    });
    expect((await run('app register a.yaml')).stdout).toBe('unchanged   Client/billing\n');
  });

  test('says what waits, why, and who puts it into force', async () => {
    await register(serviceText());
    const { code, stdout, stderr } = await register(clientText('billing', { approval: 'admin' }));
    expect(code).toBe(0);
    expect(stdout).toContain('proposed    Client/billing  revision 1\n');
    expect(stdout).toContain('widens      a new registration\n');
    expect(stderr).toContain('waits for another operator: eastwest app approve Client/billing\n');
    const json = await run('app register - --json', { stdin: clientText('other', { approval: 'admin' }) });
    expect(JSON.parse(json.stdout)).toMatchObject([
      { kind: 'Client', name: 'other', outcome: 'proposed', secret: expect.stringMatching(secretForm) },
    ]);
  });

  test('changes nothing when one document is bad, and says where', async () => {
    write('good.yaml', serviceText());
    write('bad.yaml', clientText('billing', { access: [{ audience: '*', scopes: ['a'] }] }));
    const { code, stdout, stderr } = await run('app register good.yaml bad.yaml');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^bad\.yaml:1:\d+ spec\.access\[0\]\.audience: is a pattern.*\nnothing was changed\n$/);
    expect((await run('app list')).stdout).toBe('KIND  NAME  TENANT  STATE  REVISION  WAITS\n');
  });
});

test('a registration from its proposal to its end, by two operators (S36)', async () => {
  await register(serviceText());
  await addOperator('alice', 'registrar');
  await addOperator('bob', 'approver');
  write('b.yaml', clientText('billing', { approval: 'admin' }));
  await run('app register b.yaml --operator alice.credential');
  expect((await run('app list')).stdout).toBe(
    [
      'KIND     NAME      TENANT  STATE     REVISION  WAITS',
      'Service  payments  shop    approved  1',
      'Client   billing   shop    pending   1         by alice',
      '',
    ].join('\n'),
  );
  const alone = await run('app approve billing --operator alice.credential');
  expect(alone).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('fix: ask an operator with the role approver or admin'),
  });
  const stale = await run('app approve billing --revision 7', { env: { EASTWEST_OPERATOR: 'bob.credential' } });
  expect(stale).toMatchObject({ code: 1, stderr: expect.stringContaining('it was changed since you looked') });
  const approved = await run('app approve billing', { env: { EASTWEST_OPERATOR: 'bob.credential' } });
  expect(approved.code).toBe(0);
  expect(approved.stdout).toMatch(
    /^proposed by alice .*:\n {2}apiVersion: eastwest\.dev\/v1\n[^]*approved {4}Client\/billing\n$/,
  );
  write('b.yaml', clientText('billing', { approval: 'admin', roles: ['premium'] }));
  await run('app register b.yaml --operator alice.credential');
  const shown = await run('app show billing --operator bob.credential');
  expect(shown.stdout).toMatch(
    /^Client\/billing\n {2}id {8}[0-9a-f]{16}\n {2}tenant {4}shop\n {2}state {5}approved, revision 3,/,
  );
  expect(shown.stdout).toMatch(/\n {2}widens roles: premium\n[^]*\+ +- premium\n/);
  expect((await run('app reject billing --operator bob.credential')).stdout).toBe('rejected    Client/billing\n');
  expect(await run('app disable billing --operator alice.credential')).toMatchObject({
    code: 0,
    stderr: 'it gets no more tokens; those that it has live on until they end\n',
  });
  expect((await run('app enable billing --operator bob.credential')).stdout).toBe('enabled     Client/billing\n');
  const deleted = await run('app delete billing --operator alice.credential');
  expect(deleted.stderr).toMatch(/^nobody gets the name before \d{4}-.*Z\n$/);
  expect((await run('app list')).stdout).toMatch(/Client +billing +deleted +held until \d{4}-/);
  const audit = await run('audit');
  expect(audit.stderr).toMatch(/^\d+ records, unbroken, head [0-9a-f]{64}\n$/);
  expect(audit.stdout).toMatch(
    /registration-changed registration=Client\/billing .*change=approved .*operator=bob .*proposedBy=alice/,
  );
  expect(audit.stdout).toMatch(/administration-refused action=approve .*reason=needs-approver-or-admin operator=alice/);
});

test('eastwest app show --json has dates, the document and no secret; list --json neither', async () => {
  await register(serviceText(), clientText());
  const shown = JSON.parse((await run('app show billing --json')).stdout) as unknown;
  expect(shown).toMatchObject({
    kind: 'Client',
    state: 'approved',
    proposal: null,
    inForce: { kind: 'Client', metadata: { name: 'billing' } },
    secrets: [{ state: 'usable', madeBy: 'owner', madeAt: expect.stringMatching(/Z$/), endsAt: null }],
  });
  expect(JSON.parse((await run('app list --json')).stdout)).toMatchObject({
    registrations: [
      { kind: 'Service', name: 'payments', waits: null },
      { kind: 'Client', name: 'billing', secrets: 1 },
    ],
    held: [],
  });
});

describe('eastwest app rotate-secret', () => {
  test('prints the new secret alone', async () => {
    await register(serviceText(), clientText());
    const rotated = await run('app rotate-secret billing --overlap 1h');
    expect(rotated).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^ewc1\.\S+\n$/),
      stderr: 'the secret before it stays good for 1h 00m; this one is shown this once: keep it\n',
    });
    expect((await run('app rotate-secret billing --now')).stderr).toContain('ends at once');
    const { secrets } = JSON.parse((await run('app show billing --json')).stdout) as { secrets: unknown[] };
    expect(secrets).toHaveLength(1);
  });

  test('says that it waits, where two people are needed', async () => {
    await addOperator('bob', 'approver');
    await register(serviceText(), clientText('billing', { approval: 'admin' }));
    await run('app approve billing --operator bob.credential');
    expect((await run('app rotate-secret billing')).stderr).toMatch(
      /^counts once another operator approves it: eastwest app/,
    );
    const approved = await run('app approve billing --operator bob.credential');
    expect(approved.stdout).toContain('a new secret, the same document');
  });
});

describe('eastwest operator', () => {
  test('names operators, lists and removes them', async () => {
    await addOperator('alice', 'registrar', 'auditor');
    const { stdout } = await run('operator list');
    expect(stdout).toMatch(/^NAME +ROLES +ID +ADDED\nalice +registrar, auditor +[0-9a-f]{16} +\d{4}-.*Z\n$/);
    expect(JSON.parse((await run('operator list --json')).stdout)).toMatchObject([
      { name: 'alice', roles: ['registrar', 'auditor'] },
    ]);
    expect((await run('operator remove alice')).stdout).toBe('removed  alice\n');
    expect(await run('app list --operator alice.credential')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/unknown-credential\nfix: name the file with your credential/),
    });
  });

  test('asks everybody who they are once an admin is named, and reset undoes that', async () => {
    await addOperator('root', 'admin');
    expect(await run('app list')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/credential-needed\nfix: say who you are: --operator FILE/),
    });
    expect((await run('app list --operator root.credential')).code).toBe(0);
    expect(await run('operator reset')).toMatchObject({ code: 1, stderr: expect.stringContaining('stop it first') });
    await mesh.controlPlane.close();
    expect(await run('operator reset')).toEqual({
      code: 0,
      stdout: 'removed  root\n',
      stderr: 'the owner of the admin socket is admin, until another admin is named\n',
    });
    await mesh.restart();
    expect((await run('app list')).code).toBe(0);
  });
});

test.each([
  ['app approve billing', 1, 'error: there is no registration billing\nfix: see `eastwest app list`'],
  ['app approve', 2, 'NAME is missing'],
  ['app approve payments', 1, 'Service/payments: nothing of it waits for approval'],
  ['app approve both', 2, 'write Client/both or Service/both'],
  ['app show Client/both', 0, ''],
  ['app disable both --revision x', 2, '--revision x is no revision'],
  ['app rotate-secret payments', 1, 'it has no secret'],
  ['app rotate-secret Client/both --overlap soon', 2, '--overlap soon is no duration'],
  ['app rotate-secret Client/both --overlap 1h --now', 2, '--now and --overlap exclude each other'],
  ['app rotate-secret Client/both --overlap 800h', 1, 'overlap-is-30-days-at-most'],
  ['app register -', 1, 'there is no document in (standard input)'],
  ['app register none.yaml', 1, 'cannot read'],
  ['app list --operator none', 1, 'fix: name the file with your credential: --operator FILE'],
  ['app list --operator open', 1, 'fix: chmod 600 '],
  ['app list --operator empty', 1, 'fix: write into it what `eastwest operator add` printed'],
  ['app list --operator wrong', 1, 'unknown-credential'],
  ['app list --operator ewo1.0123456789abcdef.x', 1, 'error: that is a credential, which the command line'],
  ['operator add alice', 2, '--role is missing'],
  ['operator add alice --role root', 1, 'write roles, of registrar, approver, auditor, admin'],
  ['operator remove alice', 1, 'there is no operator of this name: see `eastwest operator list`'],
  ['audit --since soon', 2, '--since soon is no time'],
])('%s ends with %d', async (line, code, stderr) => {
  await register(serviceText(), serviceText('both', { scopes: ['a'] }), clientText('both'));
  write('open', 'ewo1.x', 0o644);
  write('empty', '');
  write('wrong', 'ewo1.0123456789abcdef.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx');
  expect(await run(line)).toMatchObject({ code, stderr: expect.stringContaining(stderr) });
});

test('eastwest audit prints what is new since then, and finds a log that somebody changed', async () => {
  await register(serviceText(), clientText());
  const json = await run('audit --json --since 1h');
  expect(json.stderr).toBe('');
  const rows = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string });
  expect(rows.map(({ kind }) => kind)).toContain('registration-changed');
  expect((await run('audit --since 2100-01-01T00:00:00Z')).stdout).toBe('');
  expect((await run('audit --json')).stderr).toContain('unbroken');
  await mesh.controlPlane.close();
  const database = new DatabaseSync(join(mesh.dataDir, storeFile));
  database.exec(`DROP TRIGGER audit_rows_do_not_change; UPDATE audit SET body = replace(body, 'owner', 'alice')`);
  database.close();
  await mesh.restart();
  expect(await run('audit')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: the chain of the audit log is broken at record \d+: wrong-hash\nfix: /),
  });
});

test('a secret or credential is on standard output once, and nowhere else: store, log, audit log, lists (A39)', async () => {
  await addOperator('root', 'admin');
  const made = await run('app register - --operator root.credential', {
    stdin: [serviceText(), clientText()].join('\n---\n'),
  });
  const rotated = await run('app rotate-secret billing --operator root.credential');
  const asked = [
    'app list --json',
    'app show billing --json',
    'app show billing',
    'audit --json',
    'operator list --json',
  ];
  const answers = await Promise.all(asked.map(async (line) => run(`${line} --operator root.credential`)));
  const files = readFolder(mesh.dataDir);
  const log = { where: 'events', bytes: Buffer.from(JSON.stringify(mesh.events)) };
  const printed = answers.map(({ stdout, stderr }, index) => ({
    where: asked[index] ?? '',
    bytes: Buffer.from(stdout + stderr),
  }));
  const stderr = { where: 'standard error', bytes: Buffer.from(made.stderr + rotated.stderr) };
  const found = findSecrets([...files, log, ...printed, stderr]).filter((each) => /secret|credential/.test(each));
  expect(found).toEqual([]);
  expect(files.some(({ where }) => where.endsWith('store.sqlite'))).toBe(true);
  expect(findSecrets([{ where: 'standard output', bytes: Buffer.from(made.stdout) }])).toEqual([
    'client secret in standard output',
  ]);
});
