import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readCertificate } from '#certs/certificate.ts';
import { openAuthority, type Authority } from '#control-plane/ca/authority.ts';
import { createSealer } from '#control-plane/ca/sealing.ts';
import { unlock } from '#control-plane/ca/unlock.ts';
import type { KeySource } from '#control-plane/config.ts';
import { openDataDir } from '#control-plane/data-dir.ts';
import { openStore } from '#control-plane/store/sqlite.ts';

let dataDir: string;
const nowMs = 1_700_000_000_000;
const yearMs = 365 * 24 * 3_600_000;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'eastwest-ca-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

async function open(source: KeySource, trustDomain = 'shop.example'): Promise<Authority> {
  const store = openStore(join(dataDir, 'store.sqlite'));
  try {
    return await openAuthority(store, await unlock(store, dataDir, source), { trustDomain, nowMs });
  } finally {
    store.close();
  }
}

async function file(name: string, content: Buffer | string): Promise<string> {
  await writeFile(join(dataDir, name), content, { mode: 0o600 });
  return join(dataDir, name);
}

describe('the CA', () => {
  test('is made at the first start and is the same one ever after', async () => {
    const first = await open({ kind: 'generated' });
    const second = await open({ kind: 'generated' });
    expect(second.root.certificateDer).toEqual(first.root.certificateDer);
    expect(second.intermediate().serialHex).toBe(first.intermediate().serialHex);
    expect(first.root.notAfterMs).toBe(nowMs + 10 * yearMs);
    expect(first.intermediate().notAfterMs).toBe(nowMs + yearMs);
    const intermediate = readCertificate(first.intermediate().certificateDer);
    expect(intermediate.ok && intermediate.value.extensions.basicConstraints).toMatchObject({ pathLength: 0 });
    expect((await stat(join(dataDir, 'ca.key-encryption-key'))).mode & 0o777).toBe(0o600);
  });

  test('keeps no private key readable in its files', async () => {
    await open({ kind: 'generated' });
    const bytes = Buffer.concat([
      await readFile(join(dataDir, 'store.sqlite')),
      await readFile(join(dataDir, 'store.sqlite-wal')).catch(() => Buffer.alloc(0)),
    ]);
    expect(bytes.includes(Buffer.from('06082a8648ce3d030107', 'hex'))).toBe(true); // P-256 of the certificates: we looked at the right place
    expect(bytes.includes(Buffer.from('301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420', 'hex'))).toBe(
      false,
    );
    expect(bytes.includes('PRIVATE KEY')).toBe(false);
  });

  test('renews its intermediate from the root past two thirds of its life', async () => {
    const store = openStore(join(dataDir, 'store.sqlite'));
    const unlocked = await unlock(store, dataDir, { kind: 'generated' });
    const authority = await openAuthority(store, unlocked, { trustDomain: 'shop.example', nowMs });
    const before = authority.intermediate();
    expect(await authority.renewWhenDue(nowMs + yearMs * 0.6)).toBe('not-due');
    const dueMs = nowMs + yearMs * 0.67;
    const [one, two] = await Promise.all([authority.renewWhenDue(dueMs), authority.renewWhenDue(dueMs)]);
    expect(one).toBe(two);
    expect(authority.intermediate().serialHex).not.toBe(before.serialHex);
    expect(authority.intermediate().notAfterMs).toBe(Math.floor((dueMs + yearMs) / 1000) * 1000);
    expect(authority.issuer().certificateDer).toEqual(authority.intermediate().certificateDer);
    expect([...store.auditRows()].map(({ body }) => JSON.parse(body).authority)).toEqual([
      'root',
      'intermediate',
      'intermediate',
    ]);
    const again = await openAuthority(store, unlocked, { trustDomain: 'shop.example', nowMs: dueMs });
    expect(again.intermediate().serialHex).toBe(authority.intermediate().serialHex);
    store.close();
  });

  test('belongs to one trust domain', async () => {
    await open({ kind: 'generated' });
    await expect(open({ kind: 'generated' }, 'other.example')).rejects.toMatchObject({
      code: 'OTHER_TRUST_DOMAIN',
      hint: expect.stringContaining('--trust-domain shop.example'),
    });
  });
});

describe('without what unlocks it the CA does not start, and says what to do', () => {
  test('a key file opens it, another one does not', async () => {
    const right = await file('right', randomBytes(32));
    await open({ kind: 'key-file', path: right });
    await open({ kind: 'key-file', path: right });
    const wrong = await file('wrong', randomBytes(32));
    await expect(open({ kind: 'key-file', path: wrong })).rejects.toMatchObject({
      code: 'CA_KEY_LOCKED',
      hint: expect.stringContaining('--key-file'),
    });
    await expect(open({ kind: 'generated' })).rejects.toMatchObject({ code: 'CA_KEY_LOCKED' });
  });

  test('a passphrase opens it, with or without a newline', async () => {
    await open({ kind: 'passphrase-file', path: await file('a', 'correct horse battery') });
    await open({ kind: 'passphrase-file', path: await file('b', 'correct horse battery\n') });
    await expect(
      open({ kind: 'passphrase-file', path: await file('c', 'incorrect horse battery') }),
    ).rejects.toMatchObject({
      code: 'CA_KEY_LOCKED',
    });
    await expect(open({ kind: 'key-file', path: await file('d', randomBytes(32)) })).rejects.toMatchObject({
      code: 'CA_KEY_LOCKED',
      hint: expect.stringContaining('--passphrase-file'),
    });
  });

  test('a lost generated key file is never replaced by a new one', async () => {
    await open({ kind: 'generated' });
    const path = join(dataDir, 'ca.key-encryption-key');
    await rename(path, `${path}.lost`);
    await expect(open({ kind: 'generated' })).rejects.toMatchObject({
      code: 'CA_KEY_LOCKED',
      hint: expect.stringContaining('put the file back'),
    });
    await rename(`${path}.lost`, path);
    await open({ kind: 'generated' });
  });

  test.each([
    ['a key of 31 bytes', 'key-file', Buffer.alloc(31)],
    ['a passphrase of 11 characters', 'passphrase-file', Buffer.from('01234567890\n')],
  ] as const)('%s is too weak', async (_name, kind, content) => {
    await expect(open({ kind, path: await file('weak', content) })).rejects.toMatchObject({ code: 'CA_KEY_WEAK' });
  });

  test('a data directory that others can read is refused', async () => {
    await chmod(dataDir, 0o755);
    await expect(openDataDir(dataDir)).rejects.toMatchObject({ code: 'DATA_DIR_OPEN', hint: `chmod 700 ${dataDir}` });
  });
});

test('a sealed key opens only whole, in its own place and with its own key', async () => {
  const salt = randomBytes(32);
  const bytes = randomBytes(32);
  const sealer = await createSealer({ source: 'key-file', bytes }, salt);
  const sealed = sealer.seal(Buffer.from('secret'), 'root');
  expect(sealer.open(sealed, 'root')).toEqual({ ok: true, value: Buffer.from('secret') });
  expect(sealer.open(sealed, 'intermediate').ok).toBe(false);
  expect((await createSealer({ source: 'key-file', bytes }, randomBytes(32))).open(sealed, 'root').ok).toBe(false);
  for (let at = 0; at < sealed.length; at += 1) {
    const damaged = Buffer.from(sealed);
    damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
    expect(sealer.open(damaged, 'root').ok).toBe(false);
  }
  expect(sealer.open(sealed.subarray(0, 40), 'root').ok).toBe(false);
});
