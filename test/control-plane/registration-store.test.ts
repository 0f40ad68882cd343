import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ClientSecret } from '#control-plane/registry/model.ts';
import type { StoredOperator, StoredRegistration } from '#control-plane/store/registrations.ts';
import { openStore } from '#control-plane/store/sqlite.ts';
import type { Store } from '#control-plane/store/store.ts';
import { makeOlder } from '#support/older-store.ts';

let folder: string;
let path: string;
let store: Store;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eastwest-store-'));
  path = join(folder, 'store.sqlite');
  store = openStore(path);
});
afterEach(async () => {
  store.close();
  await rm(folder, { recursive: true });
});
const reopen = (): void => {
  store.close();
  store = openStore(path);
};

const alice = { id: 'a1', name: 'alice' };
const bob = { id: 'b1', name: 'bob' };
const secret: ClientSecret = {
  id: 's1',
  hash: Buffer.of(1, 2),
  madeAtMs: 5,
  madeBy: alice,
  isUsable: true,
  endsAtMs: undefined,
};
const waiting: StoredRegistration = {
  id: 'r1',
  kind: 'Client',
  name: 'billing',
  revision: 1,
  isDisabled: false,
  json: '',
  proposal: { json: '{"a":"ü"}', by: alice, atMs: 7, secretOverlapMs: 60 },
  registeredBy: alice,
  approvedBy: undefined,
  changedAtMs: 7,
  secrets: [{ ...secret, isUsable: false }],
};
const inForce: StoredRegistration = {
  ...waiting,
  revision: 2,
  isDisabled: true,
  json: '{"a":1}',
  proposal: undefined,
  approvedBy: bob,
  changedAtMs: 9,
  secrets: [
    { ...secret, endsAtMs: 11 },
    { ...secret, id: 's2' },
  ],
};

describe('registrations', () => {
  test('are there after a restart, as they were last put, with their secrets in order', async () => {
    await store.write((writer) => writer.putRegistration(waiting));
    reopen();
    expect(store.registrations()).toEqual([waiting]);
    await store.write((writer) => writer.putRegistration(inForce));
    reopen();
    expect(store.registrations()).toEqual([inForce]);
  });

  test('take their secrets with them', async () => {
    await store.write((writer) => writer.putRegistration(inForce));
    await store.write((writer) => writer.removeRegistration('r1'));
    await store.write((writer) => writer.putRegistration({ ...inForce, id: 'r2', secrets: [] }));
    expect(store.registrations()).toEqual([{ ...inForce, id: 'r2', secrets: [] }]);
  });

  test('share no name of one kind, and nothing of the attempt stays; a client and a service may', async () => {
    await store.write((writer) => writer.putRegistration(inForce));
    const second = store.write((writer) => writer.putRegistration({ ...waiting, id: 'r2', secrets: [] }));
    await expect(second).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await store.write((writer) => writer.putRegistration({ ...waiting, id: 'r3', kind: 'Service', secrets: [] }));
    expect(store.registrations().map(({ id }) => id)).toEqual(['r1', 'r3']);
  });

  test('share no secret', async () => {
    await store.write((writer) => writer.putRegistration(inForce));
    const second = store.write((writer) => writer.putRegistration({ ...inForce, id: 'r2', name: 'other' }));
    await expect(second).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});

test('tombstones are there after a restart, the last of each name, and go when they hold nothing', async () => {
  const tombstone = { kind: 'Client', name: 'billing', id: 'r1', heldUntilMs: 10 } as const;
  await store.write((writer) => {
    writer.putTombstone(tombstone);
    writer.putTombstone({ ...tombstone, id: 'r2', heldUntilMs: 20 });
    writer.putTombstone({ ...tombstone, kind: 'Service', heldUntilMs: 19 });
  });
  reopen();
  expect(store.tombstones()).toEqual([
    { ...tombstone, id: 'r2', heldUntilMs: 20 },
    { ...tombstone, kind: 'Service', heldUntilMs: 19 },
  ]);
  await store.write((writer) => writer.removeTombstones(19));
  expect(store.tombstones().map(({ id }) => id)).toEqual(['r2']);
});

test('operators are there after a restart; two share no name', async () => {
  const operator: StoredOperator = { ...alice, roles: ['registrar', 'admin'], secretHash: Buffer.of(9), addedAtMs: 3 };
  await store.write((writer) => {
    writer.addOperator({ ...operator, ...bob, roles: [] });
    writer.addOperator(operator);
  });
  reopen();
  expect(store.operators()).toEqual([operator, { ...operator, ...bob, roles: [] }]);
  await expect(store.write((writer) => writer.addOperator({ ...operator, id: 'a2' }))).rejects.toMatchObject({
    code: 'STORE_FAILED',
  });
  await store.write((writer) => writer.removeOperator('a1'));
  expect(store.operators().map(({ name }) => name)).toEqual(['bob']);
});

test('audit rows are read on from any of them', async () => {
  await store.write((writer) => {
    for (let n = 0; n < 5; n += 1)
      writer.audit(n, { kind: 'workload-registered', spiffeId: 'spiffe://a/b', name: `${n}` });
  });
  expect(store.auditRowsAfter(0, 2).map(({ seq }) => seq)).toEqual([1, 2]);
  expect(store.auditRowsAfter(2, 9).map(({ seq }) => seq)).toEqual([3, 4, 5]);
  expect(store.auditRowsAfter(5, 9)).toEqual([]);
});

test('a store of the version before them gets room for them, and keeps what it has', async () => {
  await store.write((writer) => writer.setPolicyRevision(4));
  store.close();
  makeOlder(path, 3);
  store = openStore(path);
  expect([store.registrations(), store.operators(), store.policyRevision()]).toEqual([[], [], 4]);
});
