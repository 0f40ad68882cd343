import { describe, expect, test } from 'vitest';
import { removeAdmins } from '#control-plane/operators/reset.ts';
import { may, roles, whoMay, type Action } from '#control-plane/operators/roles.ts';
import { clientText, openRegistryStage, serviceText, unwrap, type RegistryStage } from '#support/registrations.ts';
import { findSecrets } from '#support/secret-scan.ts';

const table: readonly (readonly [Action, readonly string[]])[] = [
  ['register', ['registrar', 'admin']],
  ['waive-approval', ['admin']],
  ['approve', ['approver', 'admin']],
  ['reject', ['approver', 'admin']],
  ['disable', ['registrar', 'approver', 'admin']],
  ['enable', ['approver', 'admin']],
  ['delete', ['registrar', 'admin']],
  ['rotate-secret', ['registrar', 'admin']],
  ['list', ['registrar', 'approver', 'auditor', 'admin']],
  ['read-audit', ['auditor', 'admin']],
  ['administer-operators', ['admin']],
];

test.each(table)('%s is for %j (S36)', (action, expected) => {
  const allowed = roles.filter((role) => may({ id: 'x', name: 'x', roles: new Set([role]) }, action));
  expect(allowed).toEqual(expected);
  expect(may({ id: 'x', name: 'x', roles: new Set() }, action)).toBe(false);
  expect(whoMay(action).split(' or ')).toEqual(expected);
});

/** What each request is answered to this credential: `done`, or why not. */
async function tried(
  { administration: { handlers } }: RegistryStage,
  credential: string,
): Promise<Record<string, string>> {
  const seen = { id: 'none', revision: 1 };
  const asked = {
    register: handlers.register({ credential, files: [] }),
    approve: handlers.change({ credential, ...seen, action: 'approve' }),
    delete: handlers.change({ credential, ...seen, action: 'delete' }),
    rotateSecret: handlers.rotateSecret({ credential, ...seen, overlapMs: 0 }),
    list: handlers.list({ credential, name: '' }),
    audit: handlers.audit({ credential, afterSeq: 0, sinceMs: 0 }),
    addOperator: handlers.addOperator({ credential, name: 'mallory', roles: [] }),
    listOperators: handlers.listOperators({ credential }),
    removeOperator: handlers.removeOperator({ credential, name: 'nobody' }),
  };
  const answers = Object.entries(asked).map(async ([name, answer]) => {
    const reply = await answer;
    return [name, reply.ok ? 'done' : reply.reason.reason] as const;
  });
  return Object.fromEntries(await Promise.all(answers));
}

const nothing = {
  register: 'needs-registrar-or-admin',
  approve: 'needs-approver-or-admin',
  delete: 'needs-registrar-or-admin',
  rotateSecret: 'needs-registrar-or-admin',
  list: 'done',
  audit: 'needs-auditor-or-admin',
  addOperator: 'needs-admin',
  listOperators: 'needs-admin',
  removeOperator: 'needs-admin',
};

describe('each request asks who makes it, and refuses who may not (S36)', () => {
  test.each([
    ['registrar', { ...nothing, register: 'done', delete: 'done', rotateSecret: 'done' }],
    ['approver', { ...nothing, approve: 'done' }],
    ['auditor', { ...nothing, audit: 'done' }],
    ['admin', Object.fromEntries(Object.keys(nothing).map((name) => [name, 'done']))],
  ])('%s', async (role, expected) => {
    const stage = openRegistryStage();
    const credential = await stage.addOperator('alice', role);
    expect(await tried(stage, credential)).toEqual(expected);
    const refused = stage
      .audit()
      .filter(({ kind, reason }) => kind === 'administration-refused' && String(reason).startsWith('needs-'));
    expect(refused.length).toBe(Object.values(expected).filter((each) => each.startsWith('needs-')).length);
    for (const each of refused) expect(each).toMatchObject({ operator: 'alice' });
  });
});

describe('the owner of the socket', () => {
  test('is admin until somebody is named so; from then on they say who they are, too', async () => {
    const stage = openRegistryStage();
    await stage.addOperator('alice', 'registrar');
    expect((await tried(stage, ''))['register']).toBe('done');
    const root = await stage.addOperator('root', 'admin');
    expect(new Set(Object.values(await tried(stage, '')))).toEqual(new Set(['credential-needed']));
    stage.restart();
    expect((await tried(stage, ''))['list']).toBe('credential-needed');
    await stage.administration.handlers.removeOperator({ credential: root, name: 'root' });
    expect((await tried(stage, ''))['list']).toBe('done');
    await stage.clock.advance(600_000); // what was refused so far is forgotten
    expect((await tried(stage, root))['list']).toBe('unknown-credential');
  });

  test('gets the place back with the store in their hands, which is in the audit log', async () => {
    const stage = openRegistryStage();
    await stage.addOperator('root', 'admin', 'auditor');
    expect(await removeAdmins(stage.store, 5)).toEqual(['root']);
    stage.restart();
    expect((await tried(stage, ''))['list']).toBe('done');
    expect(stage.audit()).toContainEqual(
      expect.objectContaining({ kind: 'operator-removed', name: 'root', operator: 'owner', atMs: 5 }),
    );
  });
});

describe('a credential', () => {
  test('is 256 random bits of ours, shown once, and stored as a hash', async () => {
    const stage = openRegistryStage();
    const credential = await stage.addOperator('alice', 'registrar');
    const secret = Buffer.from(credential.split('.')[2] ?? '', 'base64url');
    expect(secret).toHaveLength(32);
    const kept = [stage.audit(), stage.events, stage.store.operators()];
    const places = kept.map((each, index) => ({ where: String(index), bytes: Buffer.from(JSON.stringify(each)) }));
    expect(findSecrets(places, new Map([['the credential', secret]]))).toEqual([]);
    expect(findSecrets([{ where: 'here', bytes: Buffer.from(credential) }])).toEqual(["operator's credential in here"]);
  });

  test('that nobody has is refused, rate limited and in the audit log; a good one is never held up (A35)', async () => {
    const stage = openRegistryStage();
    const good = await stage.addOperator('alice', 'registrar');
    const bad = `${good.slice(0, -4)}AAAA`;
    const ask = async (credential: string) => {
      const reply = await stage.administration.handlers.list({ credential, name: '' });
      return reply.ok ? 'done' : `${reply.reason.code} ${reply.reason.reason}`;
    };
    for (let n = 0; n < 10; n += 1) expect(await ask(bad)).toBe('unauthenticated unknown-credential');
    for (let n = 0; n < 500; n += 1) expect(await ask(`${n}`)).toBe('resource-exhausted too-many-failed-credentials');
    expect(await ask(good)).toBe('done');
    const refusals = () => stage.audit().filter(({ kind }) => kind === 'administration-refused');
    expect(refusals().map(({ reason, repeats }) => [reason, repeats])).toEqual([
      ...Array.from({ length: 10 }, () => ['unknown-credential', 1]),
      ['too-many-failed-credentials', 1],
    ]);
    await stage.clock.advance(3_000);
    expect(await ask(bad)).toContain('resource-exhausted');
    await stage.clock.advance(10_000);
    for (let n = 0; n < 4; n += 1) await ask(bad);
    const told = refusals().reduce((sum, { repeats }) => sum + Number(repeats), 0);
    expect(told).toBeGreaterThanOrEqual(512);
  });

  test('of one who was removed is good for nothing', async () => {
    const stage = openRegistryStage();
    const credential = await stage.addOperator('alice', 'registrar');
    await stage.administration.handlers.removeOperator({ credential: '', name: 'alice' });
    expect((await tried(stage, credential))['list']).toBe('unknown-credential');
    await stage.addOperator('alice', 'registrar');
    await stage.clock.advance(600_000);
    expect((await tried(stage, credential))['list']).toBe('unknown-credential');
  });
});

test.each([
  ['owner', ['admin'], /the owner of the socket is called so/],
  ['Alice', ['admin'], /this is no name/],
  ['аlice', ['admin'], /this is no name/], // Cyrillic а (A71)
  ['alice', [], /write roles/],
  ['alice', ['root'], /write roles, of registrar, approver, auditor, admin/],
  ['bob', ['admin'], /there is an operator of this name/],
])('the operator %s with %j is refused, and that is in the audit log', async (name, given, expected) => {
  const stage = openRegistryStage();
  await stage.addOperator('bob', 'registrar');
  const reply = await stage.administration.handlers.addOperator({ credential: '', name, roles: given });
  expect(reply).toMatchObject({ ok: true, value: { problem: expect.stringMatching(expected), madeCredential: '' } });
  expect(stage.audit().at(-1)).toMatchObject({
    kind: 'administration-refused',
    action: 'administer-operators',
    subject: name,
  });
});

test('what one operator is refused again and again fills no disk, and is counted', async () => {
  const stage = openRegistryStage();
  await stage.register([serviceText(), clientText()]);
  const credential = await stage.addOperator('alice', 'auditor');
  for (let n = 0; n < 300; n += 1) await stage.administration.handlers.register({ credential, files: [] });
  const refusals = () =>
    stage.audit().filter(({ operator, kind }) => operator === 'alice' && kind === 'administration-refused');
  expect(refusals()).toHaveLength(101);
  await stage.clock.advance(60_000);
  await stage.administration.handlers.register({ credential, files: [] });
  expect(refusals().length).toBeLessThan(110);
});

test('the audit log is read page by page, to its end, and from a time on', async () => {
  const stage = openRegistryStage();
  await stage.store.write((writer) => {
    for (let n = 1; n <= 7_000; n += 1) writer.audit(n, { kind: 'workload-registered', spiffeId: '', name: `${n}` });
  });
  const pages = async (sinceMs: number) => {
    const sizes: number[] = [];
    for (let afterSeq = 0; sizes.length < 5;) {
      const page = unwrap(await stage.administration.handlers.audit({ credential: '', afterSeq, sinceMs }));
      sizes.push(page.records.length);
      afterSeq = page.nextAfterSeq;
      if (afterSeq === 0) return sizes;
    }
    return sizes;
  };
  expect(await pages(0)).toEqual([5_000, 2_000]);
  expect(await pages(6_990)).toEqual([0, 11]);
});
