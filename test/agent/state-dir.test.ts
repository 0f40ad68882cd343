import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openStateDir } from '#agent/identity/state-dir.ts';
import { createTestCa } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ca = createTestCa({ nowMs });
const check = { bundle: ca.bundle, nowMs };
const identity = identityOf(ca.intermediate().leaf('prices'), { ca, nowMs });

async function freshDir(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'eastwest-state-'));
  onTestFinished(() => rm(parent, { recursive: true }));
  return join(parent, 'state');
}

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

describe('a state directory (A64)', () => {
  test('is made 0700, its file 0600, and gives back what it was given', async () => {
    const dir = await freshDir();
    const state = await openStateDir(dir, 'prices');
    expect(await state.load(check)).toEqual({ ok: false, reason: 'none' });
    await state.save(identity);
    expect([await modeOf(dir), await modeOf(join(dir, 'identity.json'))]).toEqual([0o700, 0o600]);
    const loaded = await (await openStateDir(dir, 'prices')).load(check);
    expect(loaded.ok && loaded.value.svid).toEqual(identity.svid);
    expect(loaded.ok && loaded.value.privateKey.equals(identity.privateKey)).toBe(true);
    expect(loaded.ok && loaded.value.issuedAtMs).toBe(identity.issuedAtMs);
  });

  test.each([0o750, 0o705, 0o770, 0o777])('with mode %o is refused', async (mode) => {
    const dir = await freshDir();
    await mkdir(dir);
    await chmod(dir, mode);
    await expect(openStateDir(dir, 'prices')).rejects.toMatchObject({ code: 'STATE_DIR_UNSAFE' });
  });

  test('that is a symbolic link is refused', async () => {
    const dir = await freshDir();
    await mkdir(`${dir}-real`, { mode: 0o700 });
    await symlink(`${dir}-real`, dir);
    await expect(openStateDir(dir, 'prices')).rejects.toMatchObject({ code: 'STATE_DIR_UNSAFE' });
  });

  test('does not follow a symbolic link in place of its file, neither to read nor to write', async () => {
    const dir = await freshDir();
    const state = await openStateDir(dir, 'prices');
    await state.save(identity);
    const elsewhere = `${dir}-elsewhere`;
    await writeFile(elsewhere, await readFile(join(dir, 'identity.json')), { mode: 0o600 });
    await rm(join(dir, 'identity.json'));
    await symlink(elsewhere, join(dir, 'identity.json'));
    expect(await state.load(check)).toEqual({ ok: false, reason: 'unsafe-file' });
    await writeFile(elsewhere, 'untouched');
    await state.save(identity);
    expect(await readFile(elsewhere, 'utf8')).toBe('untouched');
    expect((await state.load(check)).ok).toBe(true);
  });

  test('does not believe a file that others can read', async () => {
    const dir = await freshDir();
    const state = await openStateDir(dir, 'prices');
    await state.save(identity);
    await chmod(join(dir, 'identity.json'), 0o644);
    expect(await state.load(check)).toEqual({ ok: false, reason: 'unsafe-file' });
  });
});

describe('a file after a crash or in the wrong place (A69)', () => {
  async function saved() {
    const dir = await freshDir();
    const state = await openStateDir(dir, 'prices');
    await state.save(identity);
    const file = join(dir, 'identity.json');
    const change = async (edit: (kept: Record<string, unknown>) => void) => {
      const kept = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
      edit(kept);
      await writeFile(file, JSON.stringify(kept));
    };
    return { dir, state, file, change };
  }

  test('half-written is malformed', async () => {
    const { state, file } = await saved();
    await truncate(file, 300);
    expect(await state.load(check)).toEqual({ ok: false, reason: 'malformed' });
  });

  test.each([
    ['of another workload', (kept: Record<string, unknown>) => (kept['workload'] = 'orders'), 'other-workload'],
    ['of a later format', (kept: Record<string, unknown>) => (kept['format'] = 2), 'malformed'],
    ['with another key', (kept: Record<string, unknown>) => (kept['privateKey'] = ca.leaf('x').keyPem), 'key-mismatch'],
    ['with a broken key', (kept: Record<string, unknown>) => (kept['privateKey'] = 'nothing'), 'malformed'],
    [
      'with a foreign chain',
      (kept: Record<string, unknown>) => (kept['chain'] = createTestCa({ nowMs }).leaf('prices').chainPem),
      'unknown-authority',
    ],
  ])('%s is refused', async (_name, edit, reason) => {
    const { state, change } = await saved();
    await change(edit);
    expect(await state.load(check)).toEqual({ ok: false, reason });
  });

  test('that has expired is refused', async () => {
    const { state } = await saved();
    expect(await state.load({ ...check, nowMs: nowMs + 48 * 3_600_000 })).toEqual({ ok: false, reason: 'expired' });
  });

  test('drafts of a killed writer are swept away, and the last good file is whole', async () => {
    const { dir, state } = await saved();
    await writeFile(join(dir, 'identity.json.0123456789abcdef.tmp'), 'half');
    await openStateDir(dir, 'prices');
    expect(await readdir(dir)).toEqual(['identity.json']);
    expect((await state.load(check)).ok).toBe(true);
  });

  test('a write that fails is a fault of its own', async () => {
    const { dir, state } = await saved();
    await rm(dir, { recursive: true });
    await expect(state.save(identity)).rejects.toMatchObject({ code: 'STATE_NOT_KEPT' });
  });
});
