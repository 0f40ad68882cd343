import { mkdtemp, rm, stat } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import { verifyAuditChain } from '#control-plane/audit/record.ts';
import { openStore } from '#control-plane/store/sqlite.ts';
import type { Store, Writer } from '#control-plane/store/store.ts';
import { makeOlder } from '#support/older-store.ts';

let folder: string;
let path: string;
let store: Store;
const prices = id('spiffe://shop.example/ns/default/sa/prices');

function id(text: string): SpiffeId {
  const parsed = parseSpiffeId(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

const register = (writer: Writer): void => {
  writer.addWorkload({ name: 'prices', namespace: 'default', spiffeId: prices });
  writer.audit(1, { kind: 'workload-registered', spiffeId: prices, name: 'prices' });
};
const certificate = { serial: 'ab', spiffeId: prices, keyThumbprint: 'k1', issuedAtMs: 1, notAfterMs: 2 };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eastwest-store-'));
  path = join(folder, 'store.sqlite');
  store = openStore(path);
});
afterEach(async () => {
  store.close();
  await rm(folder, { recursive: true });
});

test('what was written is there after a restart, readable by its owner only', async () => {
  await store.write(register);
  await store.write((writer) => {
    writer.addJoinToken({ id: 't', secretHash: Buffer.of(1), spiffeId: prices, expiresAtMs: 10 });
    writer.addCertificate(certificate);
    writer.addEndpoint({ spiffeId: prices, host: '127.0.0.1', port: 1 });
    writer.setPorts(prices, [{ port: 9, protocol: 'http2' }]);
    writer.setPorts(prices, [
      { port: 1, protocol: 'auto' },
      { port: 1, protocol: 'tcp' },
    ]);
  });
  store.close();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  store = openStore(path);
  expect(store.workloads()).toEqual([
    { name: 'prices', namespace: 'default', spiffeId: prices, issued: 1, notAfterMs: 2 },
  ]);
  expect(store.joinToken('t')).toMatchObject({ spiffeId: prices, usedAtMs: undefined });
  expect(store.ownerOfKey('k1')).toBe(prices);
  expect(store.endpoints()).toEqual([{ spiffeId: prices, host: '127.0.0.1', port: 1 }]);
  expect(store.ports()).toEqual([
    { spiffeId: prices, port: 1, protocol: 'auto' },
    { spiffeId: prices, port: 1, protocol: 'tcp' },
  ]);
  expect(verifyAuditChain(store.auditRows())).toMatchObject({ ok: true, value: { records: 1 } });
});

describe('policies', () => {
  const policy = {
    kind: 'DenyList',
    namespace: '',
    name: 'bad',
    json: '{"a":"ü"}',
    revision: 1,
    source: '/etc/a.yaml',
  };
  const ref = { kind: 'DenyList', namespace: '', name: 'bad' };

  test('are there after a restart, in the order of their last change, with a revision that outlives them', async () => {
    await store.write((writer) => {
      writer.setPolicyRevision(2);
      writer.putPolicy(policy);
      writer.putPolicy({ ...policy, name: 'other' });
      writer.putPolicy({ ...policy, json: '{}', revision: 2, source: '' });
    });
    store.close();
    store = openStore(path);
    expect(store.policies()).toEqual([
      { ...policy, name: 'other' },
      { ...policy, json: '{}', revision: 2, source: '' },
    ]);
    await store.write((writer) => {
      writer.removePolicy(ref);
      writer.removePolicy({ ...ref, name: 'other' });
    });
    expect([store.policies(), store.policyRevision()]).toEqual([[], 2]);
  });

  test('never count backwards', async () => {
    await store.write((writer) => writer.setPolicyRevision(5));
    for (const revision of [5, 4]) {
      await expect(store.write((writer) => writer.setPolicyRevision(revision))).rejects.toMatchObject({
        code: 'STORE_FAILED',
      });
    }
    expect(store.policyRevision()).toBe(5);
  });

  test('find room in a store of the version before them', async () => {
    await store.write(register);
    store.close();
    makeOlder(path, 1);
    store = openStore(path);
    expect([store.policies(), store.policyRevision(), store.workloads().length]).toEqual([[], 0, 1]);
  });
});

test('ports find room in a store of the version before them, and one that is damaged says so', async () => {
  await store.write(register);
  store.close();
  makeOlder(path, 2);
  store = openStore(path);
  expect([store.ports(), store.workloads().length]).toEqual([[], 1]);
  store.close();
  const damaged = new DatabaseSync(path);
  damaged.exec(`INSERT INTO ports VALUES ('${prices}', 1, 'quic')`);
  damaged.close();
  store = openStore(path);
  expect(() => store.ports()).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED' }));
});

describe('writes of one turn', () => {
  test('are one transaction', async () => {
    await Promise.all([store.write(register), store.write((writer) => writer.addCertificate(certificate))]);
    expect(store.workloads()[0]?.issued).toBe(1);
  });

  test('are all undone when one fails, and all told so', async () => {
    await store.write(register);
    const outcomes = await Promise.allSettled([
      store.write((writer) => writer.addCertificate({ ...certificate, serial: 'one' })),
      store.write((writer) => writer.addCertificate({ ...certificate, serial: 'same' })),
      store.write((writer) => writer.addCertificate({ ...certificate, serial: 'same' })),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(outcomes[0]).toMatchObject({ reason: { code: 'STORE_FAILED' } });
    expect(store.workloads()[0]?.issued).toBe(0);
    await store.write((writer) => writer.addCertificate(certificate)); // and it goes on
    expect(store.workloads()[0]?.issued).toBe(1);
  });

  test('spend a join token once', async () => {
    await store.write(register);
    await store.write((writer) =>
      writer.addJoinToken({ id: 't', secretHash: Buffer.of(1), spiffeId: prices, expiresAtMs: 10 }),
    );
    const spend = () => store.write((writer) => writer.spendJoinToken('t', 5));
    expect(await Promise.all([spend(), spend(), spend()])).toEqual(['done', 'spent', 'spent']);
  });
});

test('two control planes cannot use one store', () => {
  expect(() => openStore(path)).toThrow(
    expect.objectContaining({ code: 'STORE_IN_USE', hint: expect.stringContaining('stop it') }),
  );
});

test('a store of a newer program is not touched', () => {
  store.close();
  const database = new DatabaseSync(path);
  database.exec('INSERT INTO schema_version VALUES (999)');
  database.close();
  expect(() => openStore(path)).toThrow(expect.objectContaining({ code: 'STORE_TOO_NEW' }));
});

test('audit rows can be neither changed nor deleted through SQL', async () => {
  await store.write(register);
  store.close();
  const database = new DatabaseSync(path);
  expect(() => database.exec("UPDATE audit SET body = '{}'")).toThrow('do not change');
  expect(() => database.exec('DELETE FROM audit')).toThrow('rows stay');
  database.close();
});

test('a closed store takes no more', async () => {
  const late = store.write(register);
  store.close();
  await expect(late).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});
