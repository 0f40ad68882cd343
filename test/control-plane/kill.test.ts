import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readCertificate } from '#certs/certificate.ts';
import { parseSpiffeId } from '#certs/spiffe-id.ts';
import { parseTrustBundlePem } from '#certs/trust-bundle.ts';
import { verifyAuditChain } from '#control-plane/audit/record.ts';
import { openStore } from '#control-plane/store/sqlite.ts';
import { createAdminClient } from '#proto/admin.ts';
import { createMeshClient } from '#proto/mesh-client.ts';
import { systemClock, systemRandom } from '#runtime/system-clock.ts';
import { issue, options } from '#support/start-control-plane.ts';
import { makeKeys } from '#support/test-ca.ts';

const entry = fileURLToPath(new URL('../support/run-control-plane.ts', import.meta.url));
const rounds = 10;
const children = new Set<ChildProcess>();
let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'eastwest-kill-'));
});
afterEach(async () => {
  children.forEach((child) => child.kill('SIGKILL'));
  await rm(dataDir, { recursive: true });
});

interface Running {
  readonly child: ChildProcess;
  readonly address: string;
  readonly spiffeId: string;
  readonly adminSocket: string;
}

async function start(): Promise<Running> {
  const settings = JSON.stringify({ trustDomain: 'shop.example', dataDir, listen: '127.0.0.1:0' });
  const child = spawn(process.execPath, ['--conditions=source', entry, settings], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child.once('exit', () => children.delete(child)));
  const lines = createInterface(child.stdout as NodeJS.ReadableStream);
  for (;;) {
    const [line] = (await once(lines, 'line')) as [string];
    const event = JSON.parse(line) as { event: string } & Omit<Running, 'child'>;
    if (event.event === 'control-plane.ready') return { ...event, child };
  }
}

/** Asks for certificates with fresh join tokens until the control plane dies; the serials it was given. */
async function askUntilItDies({ address, spiffeId, adminSocket }: Running, pem: string): Promise<string[]> {
  const bundle = parseTrustBundlePem(pem, { trustDomain: 'shop.example', version: 0 });
  const id = parseSpiffeId(spiffeId);
  if (!bundle.ok || !id.ok) throw new Error('not ready');
  const serials: string[] = [];
  const asker = async (workload: string): Promise<void> => {
    const admin = createAdminClient({ socketPath: adminSocket, clock: systemClock });
    const client = createMeshClient({
      address,
      expectedServer: id.value,
      bundle: () => bundle.value,
      clock: systemClock,
    });
    try {
      for (;;) {
        const made = await admin.createJoinToken({ workload, namespace: 'default', ttlMs: 60_000 }, options);
        if (!made.ok) throw new Error(made.reason.reason);
        const issued = await issue(client, makeKeys(), { kind: 'join-token', token: made.value.token });
        if (!issued.ok) continue; // its rate limit
        const leaf = readCertificate(issued.value.chain[0] ?? Buffer.alloc(0));
        if (leaf.ok) serials.push(leaf.value.serialHex);
      }
    } catch {
      return; // it died
    } finally {
      admin.close();
      client.close();
    }
  };
  await Promise.all(Array.from({ length: 4 }, (_, index) => asker(`w${index}`)));
  return serials;
}

test(
  'a control plane killed in the middle of issuing comes back as the same CA, with every promised certificate on record (A69)',
  { timeout: 60_000 },
  async () => {
    const promised: string[] = [];
    const bundles = new Set<string>();
    const bundlePath = join(dataDir, 'trust-bundle.pem');
    for (let round = 0; round < rounds; round += 1) {
      const running = await start();
      const pem = await readFile(bundlePath, 'utf8');
      bundles.add(pem);
      const dying = askUntilItDies(running, pem);
      const moment = 20 + 250 * systemRandom();
      systemClock.timer(moment, () => running.child.kill('SIGKILL'));
      await once(running.child, 'exit');
      promised.push(...(await dying));
    }
    expect(bundles.size).toBe(1);
    expect(promised.length).toBeGreaterThan(rounds / 2); // it was busy when it died, also on a slow machine
    expect(new Set(promised).size).toBe(promised.length);

    const store = openStore(join(dataDir, 'store.sqlite'));
    const rows = [...store.auditRows()];
    expect(verifyAuditChain(rows)).toMatchObject({ ok: true });
    const entries = rows.map(({ body }) => JSON.parse(body) as { kind: string; serial?: string; tokenId?: string });
    const recorded = entries.filter(({ kind }) => kind === 'certificate-issued');
    const serials = new Set(recorded.map(({ serial }) => serial));
    expect(serials.size).toBe(recorded.length);
    expect(promised.filter((serial) => !serials.has(serial))).toEqual([]);
    const tokens = recorded.flatMap(({ tokenId }) => tokenId ?? []);
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(entries.filter(({ kind }) => kind === 'authority-created')).toHaveLength(2);
    expect(store.workloads().reduce((sum, { issued }) => sum + issued, 0)).toBe(recorded.length - rounds); // less its own
    store.close();
  },
);

test(
  'killed during its first start, at any moment, the next start makes it whole (A69)',
  { timeout: 60_000 },
  async () => {
    for (let round = 0; round < 8; round += 1) {
      const settings = JSON.stringify({ trustDomain: 'shop.example', dataDir, listen: '127.0.0.1:0' });
      const child = spawn(process.execPath, ['--conditions=source', entry, settings], { stdio: 'ignore' });
      children.add(child.once('exit', () => children.delete(child)));
      systemClock.timer(100 + round * 40, () => child.kill('SIGKILL'));
      await once(child, 'exit');
    }
    const { child } = await start();
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(0);
    const store = openStore(join(dataDir, 'store.sqlite'));
    expect(store.authorities().map(({ kind }) => kind)).toEqual(['root', 'intermediate']);
    expect(verifyAuditChain(store.auditRows())).toMatchObject({ ok: true });
    store.close();
  },
);
