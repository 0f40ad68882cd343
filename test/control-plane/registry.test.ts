import { describe, expect, test } from 'vitest';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { maxTokenLifeMs } from '#control-plane/registry/model.ts';
import type { RegistryNews } from '#control-plane/registry/registry.ts';
import { clientText, openRegistryStage, serviceText, startMs } from '#support/registrations.ts';

const cart = 'spiffe://shop.example/ns/default/sa/cart';
const tenant = (name: string) => ({ tenant: name });
const everywhere = { global: true };

describe('what the token service asks', () => {
  test('is answered by client_id, SPIFFE ID and audience, exactly (S35)', async () => {
    const stage = openRegistryStage();
    await stage.register([serviceText(), clientText(), clientText(cart, { authentication: 'svid' })]);
    const { registry } = stage.administration;
    expect(registry.client('billing')).toMatchObject({ ok: true, value: { name: 'billing', tenant: 'shop' } });
    expect(registry.clientBySpiffeId(cart as SpiffeId)).toMatchObject({ ok: true, value: { name: cart } });
    expect(registry.service('payments')).toMatchObject({
      ok: true,
      value: { scopes: new Set(['payments.read', 'payments.write']) },
    });
    for (const name of ['Billing', 'billing ', 'billin', 'payments', '', '__proto__']) {
      expect(registry.client(name)).toEqual({ ok: false, reason: 'unregistered' });
    }
    for (const audience of ['Payments', 'payments*', '*', 'billing']) {
      expect(registry.service(audience)).toEqual({ ok: false, reason: 'unregistered' });
    }
  });

  test('is the same after a restart, with the same IDs', async () => {
    const stage = openRegistryStage();
    await stage.register([serviceText(), clientText(), clientText('waits', { approval: 'admin' })]);
    const before = ['billing', 'waits'].map((name) => stage.administration.registry.client(name));
    stage.restart();
    expect(['billing', 'waits'].map((name) => stage.administration.registry.client(name))).toEqual(before);
    expect(before[1]).toEqual({ ok: false, reason: 'pending' });
  });

  test('says why there is nobody: waiting, disabled, deleted (A37)', async () => {
    const stage = openRegistryStage();
    const state = () => stage.administration.registry.client('billing');
    await stage.addOperator('bob', 'approver');
    await stage.register([serviceText(), clientText('billing', { approval: 'admin' })]);
    expect(state()).toEqual({ ok: false, reason: 'pending' });
    await stage.change('Client/billing', 'approve', 'bob');
    expect(state()).toMatchObject({ ok: true });
    await stage.change('Client/billing', 'disable');
    expect(state()).toEqual({ ok: false, reason: 'disabled' });
    await stage.change('Client/billing', 'enable');
    expect(state()).toMatchObject({ ok: true });
    await stage.change('Client/billing', 'delete');
    expect(state()).toEqual({ ok: false, reason: 'unregistered' });
  });

  test('makes no object per question', async () => {
    const stage = openRegistryStage();
    await stage.register([serviceText(), clientText()]);
    const { registry } = stage.administration;
    expect(registry.client('billing')).toBe(registry.client('billing'));
    expect(registry.client('nobody')).toBe(registry.client('else'));
    expect(registry.service('payments')).toBe(registry.service('payments'));
  });
});

test('each change is told, with the ID that tokens of it have, and counts the version up', async () => {
  const stage = openRegistryStage();
  const { registry } = stage.administration;
  const news: RegistryNews[] = [];
  registry.onNews(() => {
    throw new Error('a listener of its own');
  });
  const stop = registry.onNews((each) => void news.push(each));
  const versions = [registry.version()];
  for (const action of ['register', 'disable', 'enable', 'delete'] as const) {
    if (action === 'register') await stage.register([serviceText(), clientText()]);
    else await stage.change('Client/billing', action);
    versions.push(registry.version());
  }
  expect(news.map(({ kind, name, change }) => `${kind}/${name} ${change}`)).toEqual([
    'Service/payments in-force',
    'Client/billing in-force',
    'Client/billing disabled',
    'Client/billing enabled',
    'Client/billing deleted',
  ]);
  expect(new Set(news.filter(({ kind }) => kind === 'Client').map(({ id }) => id)).size).toBe(1);
  expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
  expect(stage.faults).toHaveLength(5);
  stop();
  await stage.register([clientText('another')]);
  expect(news).toHaveLength(5);
});

test('a new service registers once and calls the others: nothing of them changes (S28)', async () => {
  const stage = openRegistryStage();
  await stage.register([serviceText(), serviceText('orders', { scopes: ['orders.read'] })]);
  const { registry } = stage.administration;
  const callees = ['payments', 'orders'];
  const before = callees.map((name) => registry.service(name));
  const rows = stage.store.registrations();
  const access = [
    { audience: 'payments', scopes: ['payments.read'] },
    { audience: 'orders', scopes: ['orders.read'] },
  ];
  const spec = { authentication: 'svid', access };
  await stage.register([serviceText(cart), clientText(cart, spec)]);
  expect(registry.client(cart)).toMatchObject({ ok: true });
  for (const [index, name] of callees.entries()) expect(registry.service(name)).toBe(before[index]);
  expect(stage.store.registrations()).toEqual(expect.arrayContaining([...rows]));
});

describe('a registration that does not fit the others changes nothing', () => {
  test.each([
    [
      'an audience of nobody',
      [clientText()],
      /^spec.access\[0\].audience: there is no service payments: register it first/,
    ],
    [
      'a scope that its service has not',
      [serviceText('payments', { scopes: ['payments.write'] }), clientText()],
      /^spec.access\[0\].scopes\[0\]: the service payments has no scope payments.read/,
    ],
    [
      'an audience of another tenant (S38, A37)',
      [serviceText('payments', {}, tenant('bank')), clientText()],
      /^spec.access\[0\].audience: the service payments belongs to the tenant bank: of two tenants one side must/,
    ],
    [
      'an owner of another tenant (S38)',
      [
        serviceText('payments', { owners: ['billing'] }, tenant('bank')),
        clientText('billing', { grants: undefined, access: undefined }),
      ],
      /^spec.owners\[0\]: the client billing belongs to the tenant shop/,
    ],
    [
      'an audience that waits for approval',
      [serviceText('payments', { approval: 'admin' }), clientText()],
      /^spec.access\[0\].audience: the service payments waits for approval/,
    ],
  ])('%s', async (_name, texts, expected) => {
    const stage = openRegistryStage();
    const { documents, problems } = await stage.register(texts);
    expect(documents).toEqual([]);
    expect(`${problems[0]?.path}: ${problems[0]?.problem}`).toMatch(expected);
    expect(stage.store.registrations()).toEqual([]);
    expect(stage.audit().at(-1)).toMatchObject({
      kind: 'administration-refused',
      reason: 'documents-refused',
      operator: 'owner',
    });
  });

  test.each([
    ['a global service', [serviceText('payments', {}, everywhere), clientText()]],
    ['a global client', [serviceText('payments', {}, tenant('bank')), clientText('billing', {}, everywhere)]],
    ['one tenant', [clientText(), serviceText()]],
  ])('but %s crosses no border (S38)', async (_name, texts) => {
    const stage = openRegistryStage();
    expect((await stage.register(texts)).problems).toEqual([]);
  });

  test('nor may a service take away what a client has, or go', async () => {
    const stage = openRegistryStage();
    await stage.register([serviceText(), clientText()]);
    const { problems } = await stage.register([serviceText('payments', { scopes: ['payments.write'] })]);
    expect(problems[0]).toMatchObject({
      path: 'metadata.name',
      problem: expect.stringMatching(/^then Client\/billing does not fit: .*has no scope payments.read/),
    });
    const gone = await stage.change('Service/payments', 'delete');
    expect(gone.problem).toMatch(/^others name it, change them first: Client\/billing/);
    await stage.change('Client/billing', 'delete');
    expect(await stage.change('Service/payments', 'delete')).toMatchObject({ problem: '', state: 'deleted' });
  });

  test.each([
    ['another tenant', tenant('bank')],
    ['all of them', everywhere],
  ])('nor does it move to %s (S38)', async (_name, metadata) => {
    const stage = openRegistryStage();
    await stage.register([serviceText('payments', {}, everywhere), clientText()]);
    const { problems } = await stage.register([clientText('billing', {}, metadata)]);
    expect(problems[0]).toMatchObject({
      path: 'metadata.tenant',
      problem: expect.stringContaining('tenant shop: delete it first'),
    });
  });

  test('all or nothing, over several files', async () => {
    const stage = openRegistryStage();
    const files = [serviceText(), clientText('billing', { binding: 'bearer' })].map((text, n) => ({
      name: `${n}.yaml`,
      text,
    }));
    const reply = await stage.administration.handlers.register({ credential: '', files });
    expect(reply).toMatchObject({ value: { documents: [], problems: [{ file: '1.yaml', path: 'spec.binding' }] } });
    const twice = [serviceText(), serviceText()].map((text, n) => ({ name: `${n}.yaml`, text }));
    const doubled = await stage.administration.handlers.register({ credential: '', files: twice });
    expect(doubled).toMatchObject({ value: { problems: [{ file: '1.yaml', path: 'metadata.name' }] } });
    expect(stage.store.registrations()).toEqual([]);
  });
});

describe('a name that was deleted (A72)', () => {
  test.each([
    ['a client with a secret', 'billing', {}, maxTokenLifeMs + 60_000],
    [
      'a client with an SVID, which may be good for an hour more',
      cart,
      { authentication: 'svid' },
      maxTokenLifeMs + 3_660_000,
    ],
  ])('%s is given to nobody before its tokens have ended, over restarts too', async (_what, name, spec, heldMs) => {
    const stage = openRegistryStage();
    await stage.register([serviceText(), clientText(name, spec)]);
    const { id } = await stage.find(`Client/${name}`);
    const deleted = await stage.change(`Client/${name}`, 'delete');
    expect(deleted).toMatchObject({ state: 'deleted', heldUntilMs: startMs + heldMs });
    await stage.clock.advance(heldMs - 1);
    stage.restart();
    const early = await stage.register([clientText(name, spec)]);
    expect(early.problems[0]).toMatchObject({ path: 'metadata.name', problem: expect.stringContaining('was deleted') });
    await stage.clock.advance(1);
    const later = await stage.register([clientText(name, spec)]);
    expect(later.problems).toEqual([]);
    expect((await stage.find(`Client/${name}`)).id).not.toBe(id); // whoever denied the old one did not deny this (A71)
  });

  test('of a workload is held until its last SVID has ended, though SVIDs are shorter now', async () => {
    const stage = openRegistryStage();
    const [spiffeId, notAfterMs] = [cart as SpiffeId, startMs + 86_400_000];
    await stage.store.write((writer) => {
      writer.addWorkload({ name: 'cart', namespace: 'default', spiffeId });
      writer.addCertificate({ serial: 'a', spiffeId, keyThumbprint: 'k', issuedAtMs: 0, notAfterMs });
    });
    await stage.register([serviceText(), clientText(cart, { authentication: 'svid' })]);
    const { heldUntilMs } = await stage.change(`Client/${cart}`, 'delete');
    expect(heldUntilMs).toBe(notAfterMs + maxTokenLifeMs + 60_000);
  });

  test('that never was in force is free at once', async () => {
    const stage = openRegistryStage();
    await stage.register([serviceText(), clientText('billing', { approval: 'admin' })]);
    expect(await stage.change('Client/billing', 'delete')).toMatchObject({ state: 'deleted', heldUntilMs: 0 });
    expect((await stage.register([clientText()])).problems).toEqual([]);
  });

  test('is listed while it is held', async () => {
    const stage = openRegistryStage();
    await stage.register([serviceText()]);
    await stage.change('Service/payments', 'delete');
    const listed = async () => stage.administration.handlers.list({ credential: '', name: '' });
    expect(await listed()).toMatchObject({ value: { held: [{ kind: 'Service', name: 'payments' }] } });
    await stage.clock.advance(maxTokenLifeMs + 60_000);
    expect(await listed()).toMatchObject({ value: { held: [] } });
  });
});

test('what this version cannot read is in force nowhere, told, and its name is nobody’s', async () => {
  const stage = openRegistryStage();
  await stage.register([serviceText(), clientText()]);
  const [stored] = stage.store.registrations().filter(({ name }) => name === 'billing');
  if (stored === undefined) throw new Error('not stored');
  await stage.store.write((writer) =>
    writer.putRegistration({
      ...stored,
      json: stored.json.replace('"binding"', '"bound"').replace('"grants"', '"gifts"'),
    }),
  );
  stage.restart();
  expect(stage.administration.registry.client('billing')).toEqual({ ok: false, reason: 'unregistered' });
  expect(stage.events).toContainEqual({
    event: 'registration.unreadable',
    registration: 'Client/billing',
    problem: expect.stringContaining('spec.gifts'),
  });
  const { problems } = await stage.register([clientText()]);
  expect(problems[0]?.problem).toContain('cannot read');
});

test('a decision about what has changed since is refused: the approver approves what they saw', async () => {
  const stage = openRegistryStage();
  await stage.addOperator('bob', 'approver');
  await stage.register([serviceText(), clientText('billing', { approval: 'admin' })]);
  const { id, revision } = await stage.find('Client/billing');
  await stage.register([clientText('billing', { approval: 'admin', roles: ['root'] })]);
  const late = { credential: stage.credential('bob'), id, revision, action: 'approve' };
  expect(await stage.administration.handlers.change(late)).toMatchObject({
    value: { problem: expect.stringContaining('it was changed since you looked') },
  });
  expect(stage.administration.registry.client('billing')).toEqual({ ok: false, reason: 'pending' });
  const gone = { ...late, id: 'ffffffffffffffff' };
  expect(await stage.administration.handlers.change(gone)).toMatchObject({
    value: { problem: expect.stringContaining('there is no such registration') },
  });
});
