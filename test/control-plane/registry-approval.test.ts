import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { verifyAuditChain } from '#control-plane/audit/record.ts';
import { readRegistrations } from '#control-plane/registry/documents.ts';
import { wideningOf } from '#control-plane/registry/widening.ts';
import { clientText, openRegistryStage, serviceText, type RegistryStage } from '#support/registrations.ts';

const held = { approval: 'admin' };

/** A registrar alice, approvers bob and carol, and the service `payments`. */
async function openStaffedStage(): Promise<RegistryStage> {
  const stage = openRegistryStage();
  await stage.register([serviceText()]);
  await stage.addOperator('alice', 'registrar');
  await stage.addOperator('bob', 'approver');
  await stage.addOperator('carol', 'registrar', 'approver');
  return stage;
}
const inForce = ({ administration }: RegistryStage) => {
  const found = administration.registry.client('billing');
  return found.ok ? found.value : found.reason;
};

describe('two people (S19, S36)', () => {
  test('a registration waits until another operator approves it', async () => {
    const stage = await openStaffedStage();
    const { documents } = await stage.register([clientText('billing', held)], 'alice');
    expect(documents[0]).toMatchObject({ outcome: 'proposed', widening: ['a new registration'] });
    expect(inForce(stage)).toBe('pending');
    expect(await stage.change('Client/billing', 'approve', 'bob')).toMatchObject({ problem: '', state: 'approved' });
    expect(inForce(stage)).toMatchObject({ name: 'billing' });
    expect(await stage.find('Client/billing')).toMatchObject({ registeredBy: 'alice', approvedBy: 'bob' });
  });

  test('nobody approves what they proposed, whatever their roles, not even admin or under a new credential', async () => {
    const stage = await openStaffedStage();
    const proposals = [
      ['carol', 'carol'],
      ['owner', 'owner'],
    ] as const;
    for (const [by, approver] of proposals) {
      await stage.register([clientText('billing', { ...held, roles: [by] })], by);
      const { problem } = await stage.change('Client/billing', 'approve', approver);
      expect(problem).toBe('whoever proposed it cannot approve it: ask another operator');
      expect(stage.audit().at(-1)).toMatchObject({
        kind: 'administration-refused',
        action: 'approve',
        subject: 'Client/billing',
        reason: 'same-operator',
        operator: approver,
      });
    }
    await stage.register([clientText('billing', held)], 'carol');
    await stage.administration.handlers.removeOperator({ credential: '', name: 'carol' });
    await stage.addOperator('carol', 'approver');
    expect((await stage.change('Client/billing', 'approve', 'carol')).problem).toContain('ask another operator');
    expect(inForce(stage)).toBe('pending');
  });

  test('who approves gets what they saw: a proposal of somebody else in its place is theirs', async () => {
    const stage = await openStaffedStage();
    await stage.register([clientText('billing', held)], 'alice');
    await stage.register([clientText('billing', { ...held, roles: ['root'] })], 'carol');
    expect((await stage.change('Client/billing', 'approve', 'carol')).problem).toContain('ask another operator');
    expect(await stage.find('Client/billing')).toMatchObject({ proposal: { by: 'carol' }, registeredBy: 'alice' });
  });

  test('only admin registers without approval', async () => {
    const stage = await openStaffedStage();
    const { problems } = await stage.register([clientText()], 'alice');
    expect(problems[0]).toMatchObject({
      path: 'spec.approval',
      problem: expect.stringContaining('only admin may register'),
    });
    await stage.addOperator('root', 'admin');
    expect((await stage.register([clientText()], 'root')).documents[0]).toMatchObject({ outcome: 'registered' });
  });

  test('what an admin registered without approval, only an admin widens so; a registrar proposes, and narrows', async () => {
    const stage = await openStaffedStage();
    await stage.register([clientText()]);
    const wider = { roles: ['root'] };
    const { problems } = await stage.register([clientText('billing', wider)], 'alice');
    expect(problems[0]).toMatchObject({ path: 'spec.approval' });
    const proposed = await stage.register([clientText('billing', { ...wider, ...held })], 'alice');
    expect(proposed.documents[0]?.outcome).toBe('proposed');
    expect(inForce(stage)).toMatchObject({ roles: new Set() });
    const narrower = await stage.register([clientText('billing', { maxLifetime: '1m' })], 'alice');
    expect(narrower.documents[0]?.outcome).toBe('changed');
    expect((await stage.register([clientText('billing', wider)])).documents[0]?.outcome).toBe('changed');
    expect(inForce(stage)).toMatchObject({ roles: new Set(['root']) });
  });

  test('what widens waits, and what was in force goes on; what narrows counts at once', async () => {
    const stage = await openStaffedStage();
    await stage.register([clientText('billing', held)], 'alice');
    await stage.change('Client/billing', 'approve', 'bob');
    const wider = {
      ...held,
      maxLifetime: '10m',
      access: [{ audience: 'payments', scopes: ['payments.read', 'payments.write'] }],
    };
    const { documents } = await stage.register([clientText('billing', wider)], 'alice');
    expect(documents[0]).toMatchObject({
      outcome: 'proposed',
      widening: ['access: payments payments.write', 'maxLifetime: 600s'],
      secret: '',
    });
    expect(inForce(stage)).toMatchObject({
      maxLifetimeMs: 300_000,
      access: new Map([['payments', new Set(['payments.read'])]]),
    });
    await stage.change('Client/billing', 'approve', 'bob');
    expect(inForce(stage)).toMatchObject({ maxLifetimeMs: 600_000 });
    const narrower = await stage.register([clientText('billing', { ...held, maxLifetime: '1m' })], 'alice');
    expect(narrower.documents[0]).toMatchObject({ outcome: 'changed', widening: [] });
    expect(inForce(stage)).toMatchObject({ maxLifetimeMs: 60_000 });
  });

  test('a registrar cannot first turn approval off, then widen', async () => {
    const stage = await openStaffedStage();
    await stage.register([clientText('billing', held)], 'alice');
    await stage.change('Client/billing', 'approve', 'bob');
    for (const by of ['alice', 'owner']) {
      const { documents } = await stage.register([clientText('billing', { approval: 'none', roles: ['root'] })], by);
      expect(documents[0]).toMatchObject({ outcome: 'proposed', widening: ['roles: root', 'approval: none'] });
    }
    expect(inForce(stage)).toMatchObject({ roles: new Set(), approval: 'admin' });
  });

  test('what is rejected leaves what is in force, and nothing where nothing was', async () => {
    const stage = await openStaffedStage();
    await stage.register([clientText('billing', held)], 'alice');
    expect(await stage.change('Client/billing', 'reject', 'bob')).toMatchObject({ problem: '', state: 'deleted' });
    expect(stage.store.registrations().map(({ name }) => name)).toEqual(['payments']);
    await stage.register([clientText('billing', held)], 'alice');
    await stage.change('Client/billing', 'approve', 'bob');
    await stage.register([clientText('billing', { ...held, roles: ['root'] })], 'alice');
    expect(await stage.change('Client/billing', 'reject', 'bob')).toMatchObject({ state: 'approved' });
    expect((await stage.change('Client/billing', 'approve', 'bob')).problem).toBe('nothing of it waits for approval');
    expect(inForce(stage)).toMatchObject({ roles: new Set() });
  });

  test('what says again what is in force withdraws what waits', async () => {
    const stage = await openStaffedStage();
    await stage.register([clientText('billing', held)], 'alice');
    await stage.change('Client/billing', 'approve', 'bob');
    await stage.register([clientText('billing', { ...held, roles: ['root'] })], 'alice');
    const again = await stage.register([clientText('billing', held)], 'alice');
    expect(again.documents[0]?.outcome).toBe('withdrawn');
    expect((await stage.register([clientText('billing', held)], 'alice')).documents[0]?.outcome).toBe('unchanged');
  });

  test('a proposal stands on another one, but comes into force after it', async () => {
    const stage = await openStaffedStage();
    const orders = { access: [{ audience: 'orders', scopes: ['orders.read'] }], ...held };
    const texts = [serviceText('orders', { scopes: ['orders.read'], ...held }), clientText('billing', orders)];
    expect((await stage.register(texts, 'alice')).problems).toEqual([]);
    const early = await stage.change('Client/billing', 'approve', 'bob');
    expect(early.problem).toMatch(/^it does not fit what is in force.*the service orders waits for approval/);
    await stage.change('Service/orders', 'approve', 'bob');
    expect(await stage.change('Client/billing', 'approve', 'bob')).toMatchObject({ problem: '' });
  });

  test('an approver turns on again, a registrar does not; both turn off', async () => {
    const stage = await openStaffedStage();
    await stage.register([clientText('billing', held)], 'alice');
    expect((await stage.change('Client/billing', 'disable', 'alice')).problem).toContain('it is not in force');
    await stage.change('Client/billing', 'approve', 'bob');
    await stage.change('Client/billing', 'disable', 'alice');
    await expect(stage.change('Client/billing', 'enable', 'alice')).rejects.toThrow('needs-approver-or-admin');
    await stage.register([clientText('billing', { ...held, maxLifetime: '1m' })], 'alice');
    expect(inForce(stage)).toBe('disabled'); // a change does not turn it on
    expect((await stage.change('Client/billing', 'disable', 'bob')).problem).toBe('it is disabled already');
    expect(await stage.change('Client/billing', 'enable', 'bob')).toMatchObject({ state: 'approved' });
    expect((await stage.change('Client/billing', 'enable', 'bob')).problem).toBe('it is not disabled');
  });
});

test('every registration, change, approval and refusal is in the audit log, with who it was (S36)', async () => {
  const stage = await openStaffedStage();
  await stage.register([clientText('billing', held)], 'alice');
  await stage.change('Client/billing', 'approve', 'bob');
  await stage.register([clientText('billing', { ...held, roles: ['a'] })], 'alice');
  await stage.change('Client/billing', 'reject', 'bob');
  await stage.register([clientText('billing', { ...held, maxLifetime: '1m' })], 'alice');
  await stage.change('Client/billing', 'disable', 'alice');
  await stage.change('Client/billing', 'enable', 'bob');
  await stage.change('Client/billing', 'delete', 'alice');
  const rows = stage.audit().filter(({ registration }) => registration === 'Client/billing');
  expect(rows.map(({ change, operator, proposedBy, revision }) => [change, operator, proposedBy, revision])).toEqual([
    ['proposed', 'alice', undefined, 1],
    ['approved', 'bob', 'alice', 2],
    ['proposed', 'alice', undefined, 3],
    ['rejected', 'bob', 'alice', 4],
    ['changed', 'alice', undefined, 5],
    ['disabled', 'alice', undefined, 6],
    ['enabled', 'bob', undefined, 7],
    ['deleted', 'alice', undefined, 8],
  ]);
  expect(new Set(rows.map(({ id }) => id)).size).toBe(1);
  expect(rows[0]).toMatchObject({ inForce: '', proposed: rows[1]?.['inForce'] });
  expect(verifyAuditChain(stage.store.auditRows())).toMatchObject({ ok: true });
  const logged = stage.events.filter(({ event }) => event === 'registration.changed');
  expect(logged).toContainEqual({
    event: 'registration.changed',
    registration: 'Client/billing',
    change: 'approved',
    revision: 2,
    operator: 'bob',
  });
});

describe('widening', () => {
  const jwks = (...kids: string[]) => ({ keys: kids.map((kid) => keyOf(kid)) });
  const keys = new Map<string, object>();
  function keyOf(kid: string): object {
    const made =
      keys.get(kid) ?? generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
    keys.set(kid, made);
    return { ...made, kid, alg: 'ES256' };
  }
  const jwt = { authentication: 'private-key-jwt' };
  const read = (text: string) => {
    const documents = readRegistrations(text, 'a.yaml');
    if (!documents.ok || documents.value[0] === undefined) throw new Error(JSON.stringify(documents));
    return documents.value[0].document;
  };
  const access = (...rows: [string, ...string[]][]) => ({
    access: rows.map(([audience, ...scopes]) => ({ audience, scopes })),
  });
  const a = 'spiffe://shop.example/a';
  const b = 'spiffe://shop.example/b';

  test.each<[object, object, readonly string[]]>([
    [{}, {}, []],
    [{}, { grants: ['client_credentials', 'token_exchange'] }, ['grants: token_exchange']],
    [{ grants: ['client_credentials', 'token_exchange'] }, {}, []],
    [{}, { tokenTypes: ['access_token', 'txn_token'] }, ['tokenTypes: txn_token']],
    [{}, access(['payments', 'payments.read'], ['orders', 'orders.read']), ['access: orders']],
    [{}, access(['payments', 'payments.read', 'payments.write']), ['access: payments payments.write']],
    [access(['payments', 'payments.read'], ['orders', 'orders.read']), {}, []],
    [{}, { roles: ['premium'] }, ['roles: premium']],
    [{ maxLifetime: '1m' }, { maxLifetime: '61s' }, ['maxLifetime: 61s']],
    [{ maxLifetime: '1m' }, { maxLifetime: '60s' }, []],
    [{}, { binding: 'none' }, ['binding: none']],
    [{}, { binding: 'dpop' }, ['binding: dpop']],
    [{ binding: 'none' }, {}, []],
    [{}, { assertsUsersAt: ['payments'] }, ['assertsUsersAt: payments']],
    [{ sourceIdentities: [a] }, {}, ['sourceIdentities: any']],
    [{ sourceIdentities: [a] }, { sourceIdentities: [a, b] }, [`sourceIdentities: ${b}`]],
    [{}, { sourceIdentities: [a] }, []],
    [{ approval: 'admin' }, { approval: 'none' }, ['approval: none']],
    [{ approval: 'none' }, { approval: 'admin' }, []],
    [{}, { ...jwt, jwks: jwks('k1') }, ['authentication: private-key-jwt']],
    [{ ...jwt, jwks: jwks('k1') }, { ...jwt, jwks: jwks('k1', 'k2') }, ['jwks: k2']],
    [{ ...jwt, jwks: jwks('k1', 'k2') }, { ...jwt, jwks: jwks('k2') }, []],
  ])('of a client from %o to %o is %j', (before, after, expected) => {
    expect(wideningOf(read(clientText('billing', { ...before })), read(clientText('billing', { ...after })))).toEqual(
      expected,
    );
  });

  test('of a client is also another key under a known key ID', () => {
    const before = read(clientText('billing', { ...jwt, jwks: jwks('k1') }));
    keys.delete('k1');
    expect(wideningOf(before, read(clientText('billing', { ...jwt, jwks: jwks('k1') })))).toEqual(['jwks: k1']);
  });

  test.each<[object, object, readonly string[]]>([
    [{}, { scopes: ['payments.read'] }, []],
    [{}, { scopes: ['payments.read', 'payments.write', 'all'] }, ['scopes: all']],
    [{}, { owners: [a] }, [`owners: ${a}`]],
    [{ owners: [a, b] }, { owners: [b] }, []],
    [{ approval: 'admin' }, { approval: 'none' }, ['approval: none']],
  ])('of a service from %o to %o is %j', (before, after, expected) => {
    expect(
      wideningOf(read(serviceText('payments', { ...before })), read(serviceText('payments', { ...after }))),
    ).toEqual(expected);
  });
});
