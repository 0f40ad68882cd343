import { mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createReadiness } from '#agent/admin/readiness.ts';
import type { AgentEvent } from '#agent/events.ts';
import { FileIdentity } from '#agent/identity/file-identity.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createTestCa, type TestAuthority, type TestCertificate } from '#support/test-ca.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ca = createTestCa({ nowMs });
const nextCa = createTestCa({ nowMs });

async function startFiles() {
  const dir = await mkdtemp(join(tmpdir(), 'eastwest-files-'));
  const clock = createFakeClock(nowMs);
  const store = createIdentityStore();
  const readiness = createReadiness(store, clock);
  const events: AgentEvent[] = [];
  const stop = new AbortController();
  const emit = (event: AgentEvent) => void events.push(event);
  const config = { kind: 'files', dir, trustDomain: 'shop.example' } as const;
  const source = new FileIdentity({ config, store, readiness, clock, emit });
  const running = source.run(stop.signal);
  running.catch(() => undefined);
  onTestFinished(async () => {
    stop.abort(new Error('done'));
    await expect(running).rejects.toThrow('done');
    await rm(dir, { recursive: true, force: true });
  });
  return {
    dir,
    clock,
    store,
    readiness,
    events,
    source,
    write: async (certificate: TestCertificate, ...roots: readonly TestAuthority[]) => {
      await writeFile(join(dir, 'tls.crt'), certificate.chainPem);
      await writeFile(join(dir, 'tls.key'), certificate.keyPem);
      await writeFile(join(dir, 'ca.crt'), roots.map(({ bundlePem }) => bundlePem).join(''));
    },
    /** Lets polls and second looks happen until the claim holds. */
    eventually: (claim: () => void) =>
      vi.waitFor(
        async () => {
          await clock.advance(500);
          claim();
        },
        { interval: 5, timeout: 5_000 },
      ),
  };
}

describe('an identity in files', () => {
  test('is waited for at the start, with a blocker that names what is missing', async () => {
    const { readiness, write, eventually, store } = await startFiles();
    await eventually(() =>
      expect(readiness.report().blockers).toContainEqual({
        name: 'identity-files-unusable',
        detail: expect.stringContaining('tls.crt is missing'),
      }),
    );
    await write(ca.intermediate().leaf('prices'), ca);
    await eventually(() => expect(store.current()?.generation).toBe(1));
    expect(readiness.report()).toMatchObject({ ready: true, blockers: [] });
  });

  test('rotates when the files do, and its life counts from notBefore', async () => {
    const { write, eventually, store, source } = await startFiles();
    await write(ca.leaf('prices'), ca);
    await eventually(() => expect(store.current()?.generation).toBe(1));
    const first = store.current()!;
    expect(first.issuedAtMs).toBe(first.svid.notBeforeMs);
    await write(ca.leaf('prices'), ca);
    await eventually(() => expect(store.current()?.svid.thumbprint).not.toBe(first.svid.thumbprint));
    expect(store.current()!.bundle).toBe(first.bundle);
    expect(source.status().rotations).toBe(1);
  });

  test('lives through a change of roots with overlap', async () => {
    const { write, eventually, store } = await startFiles();
    const certificate = ca.leaf('prices');
    await write(certificate, ca);
    await eventually(() => expect(store.current()?.bundle.version).toBe(1));
    await write(certificate, ca, nextCa);
    await eventually(() => expect(store.current()?.bundle).toMatchObject({ version: 2, roots: { length: 2 } }));
    await write(nextCa.leaf('prices'), ca, nextCa);
    await write(nextCa.leaf('prices'), nextCa);
    await eventually(() => expect(store.current()?.bundle.roots).toEqual(nextCa.bundle.roots));
  });
});

describe('files that are bad for a while, then as before: the last good identity stays and everything heals (A69, A77)', () => {
  const certificate = ca.leaf('prices');
  const other = ca.leaf('prices');
  type Spoil = (dir: string) => Promise<void>;
  const rows: [string, Spoil, string][] = [
    ['the leaf is missing', (dir) => rm(join(dir, 'tls.crt')), 'tls.crt is missing'],
    ['the key is missing', (dir) => rm(join(dir, 'tls.key')), 'tls.key is missing'],
    ['the roots are missing', (dir) => rm(join(dir, 'ca.crt')), 'ca.crt is missing'],
    ['the leaf is garbage', (dir) => writeFile(join(dir, 'tls.crt'), 'garbage'), 'tls.crt is no-certificates'],
    ['the key is garbage', (dir) => writeFile(join(dir, 'tls.key'), 'garbage'), 'tls.key is not a private key'],
    ['the roots are empty', (dir) => writeFile(join(dir, 'ca.crt'), ''), 'ca.crt is no-certificates'],
    ['the leaf is half-written', (dir) => truncate(join(dir, 'tls.crt'), 200), 'tls.crt is malformed'],
    [
      'the key is of another leaf',
      (dir) => writeFile(join(dir, 'tls.key'), other.keyPem),
      'tls.key is not the key of tls.crt',
    ],
    [
      'the roots are somebody else’s',
      (dir) => writeFile(join(dir, 'ca.crt'), nextCa.bundlePem),
      'tls.crt is unknown-authority',
    ],
    [
      'the leaf has expired',
      (dir) => writeFile(join(dir, 'tls.crt'), ca.leaf('prices', { notAfterMs: nowMs - 5000 }).chainPem),
      'tls.crt is expired',
    ],
    ['the leaf is huge', (dir) => writeFile(join(dir, 'tls.crt'), 'x'.repeat(300_000)), 'tls.crt is larger'],
    [
      'the leaf is a folder',
      (dir) => rm(join(dir, 'tls.crt')).then(() => mkdir(join(dir, 'tls.crt'))),
      'tls.crt is not a file',
    ],
    [
      'the key is a pipe',
      (dir) => rm(join(dir, 'tls.key')).then(() => void execFileSync('mkfifo', [join(dir, 'tls.key')])),
      'tls.key is not a file',
    ],
  ];

  test.each(rows)('%s', async (_name, spoil, problem) => {
    const { dir, write, eventually, store, readiness, events } = await startFiles();
    await write(certificate, ca);
    await eventually(() => expect(store.current()).toBeDefined());
    const good = store.current();
    await spoil(dir);
    await eventually(() =>
      expect(events).toContainEqual(
        expect.objectContaining({ event: 'identity-files.refused', problem: expect.stringContaining(problem) }),
      ),
    );
    expect(store.current()).toBe(good);
    expect(readiness.report().ready).toBe(true);

    await rm(join(dir, 'tls.crt'), { recursive: true, force: true });
    await rm(join(dir, 'tls.key'), { force: true });
    await write(certificate, ca); // the very same content
    await eventually(() => expect(store.current()).toBe(good));
    await write(other, ca); // and a new one is still noticed afterwards
    await eventually(() => expect(store.current()?.svid.chainDer[0]?.equals(other.der)).toBe(true));
  });

  test('one problem is told once, however often it is seen', async () => {
    const { clock, events, eventually } = await startFiles();
    await eventually(() => expect(events).toHaveLength(1));
    await clock.advance(60_000);
    expect(events).toHaveLength(1);
  });
});

test('an SVID that nobody renews is told once when it has expired', async () => {
  const { clock, write, eventually, store, readiness, events } = await startFiles();
  await write(ca.leaf('prices', { notAfterMs: nowMs + 10_000 }), ca);
  await eventually(() => expect(store.current()).toBeDefined());
  await clock.advance(60_000);
  await eventually(() => expect(events.map(({ event }) => event)).toContain('svid.expired'));
  await clock.advance(60_000);
  expect(events.filter(({ event }) => event === 'svid.expired')).toHaveLength(1);
  expect(readiness.report().blockers).toMatchObject([{ name: 'svid-expired' }]);
});

test('a Kubernetes secret is swapped in one step', async () => {
  const { dir, eventually, store } = await startFiles();
  const certificates = [ca.leaf('prices'), ca.leaf('prices')];
  for (const [index, certificate] of certificates.entries()) {
    const version = join(dir, `..v${index}`);
    await mkdir(version);
    await writeFile(join(version, 'tls.crt'), certificate.chainPem);
    await writeFile(join(version, 'tls.key'), certificate.keyPem);
    await writeFile(join(version, 'ca.crt'), ca.bundlePem);
    await symlink(`..v${index}`, join(dir, '..data_tmp'));
    await rename(join(dir, '..data_tmp'), join(dir, '..data'));
    for (const name of index === 0 ? ['tls.crt', 'tls.key', 'ca.crt'] : [])
      await symlink(`..data/${name}`, join(dir, name));
    await eventually(() => expect(store.current()?.svid.chainDer[0]?.equals(certificate.der)).toBe(true));
  }
});
