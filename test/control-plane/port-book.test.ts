import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createPortBook, maxPortsPerIdentity } from '#control-plane/discovery/port-book.ts';
import { openStore } from '#control-plane/store/sqlite.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { createFakeClock } from '#support/fake-clock.ts';

const spiffeId = 'spiffe://shop.example/ns/shop/sa/ledger' as SpiffeId;
const lifeMs = 60_000;

async function openBook() {
  const dir = mkdtempSync(join(tmpdir(), 'eastwest-ports-'));
  const clock = createFakeClock(1_700_000_000_000);
  const store = openStore(join(dir, 'store.sqlite'));
  onTestFinished(() => {
    store.close();
    rmSync(dir, { recursive: true });
  });
  await store.write((writer) => {
    writer.setUp('shop.example', { source: 'key-file', salt: Buffer.alloc(16) });
    writer.addWorkload({ name: 'ledger', namespace: 'shop', spiffeId });
    const certificate = { serial: '1', keyThumbprint: 'a', issuedAtMs: clock.now(), notAfterMs: clock.now() + lifeMs };
    writer.addCertificate({ ...certificate, spiffeId });
  });
  const open = () => createPortBook({ store, clock, emit: () => undefined });
  return { clock, store, open, book: open() };
}
const agent = () => ({ spiffeId });
const tcp = (port: number) => ({ port, protocol: 'tcp' }) as const;
const http = (port: number) => ({ port, protocol: 'http' }) as const;

test('what agents declare is known of their workload, with its namespace and labels', async () => {
  const { book } = await openBook();
  expect(book.workloads()).toEqual([]);
  await book.declare(agent(), [http(80), tcp(5432)]);
  const labels = { app: 'ledger', 'app.kubernetes.io/name': 'ledger' };
  const ports = new Map([
    [80, 'http'],
    [5432, 'tcp'],
  ]);
  expect(book.workloads()).toEqual([{ trustDomain: 'shop.example', namespace: 'shop', name: 'ledger', labels, ports }]);
});

test('of agents that differ, TCP counts until the last that speaks it has gone', async () => {
  const { book } = await openBook();
  const [older, newer] = [agent(), agent()];
  await book.declare(older, [tcp(80)]);
  await book.declare(newer, [http(80)]);
  expect(book.workloads()[0]?.ports?.get(80)).toBe('tcp');
  const before = book.version();
  book.leave(older);
  await expect.poll(() => book.workloads()[0]?.ports?.get(80)).toBe('http');
  expect(book.version()).toBeGreaterThan(before);
});

test('what is known outlives streams and restarts, as long as a certificate of its last agents may hold', async () => {
  const { clock, book, open } = await openBook();
  const first = agent();
  await book.declare(first, [tcp(5432)]);
  book.leave(first);
  expect([book, open()].map((each) => each.workloads().length)).toEqual([1, 1]);
  await clock.advance(lifeMs);
  expect([book, open()].map((each) => each.workloads().length)).toEqual([0, 0]);
  const next = open();
  await next.declare(agent(), [tcp(5432)]); // connected: whatever the clock says
  expect(next.workloads()).toHaveLength(1);
});

test('a stream that says the same again, as after each rotation, writes nothing', async () => {
  const { book, store } = await openBook();
  await book.declare(agent(), [tcp(5432)]);
  const [version, rows] = [book.version(), store.ports()];
  const again = agent();
  await book.declare(again, [tcp(5432)]);
  book.leave(again);
  expect([book.version(), store.ports()]).toEqual([version, rows]);
});

test('a workload that takes its ports back is known for none', async () => {
  const { book, store } = await openBook();
  const one = agent();
  await book.declare(one, [tcp(5432)]);
  await book.declare(one, []);
  expect([book.workloads(), store.ports()]).toEqual([[], []]);
});

test('agents that each declare others fill nobody’s memory', async () => {
  const { book, store } = await openBook();
  for (let index = 0; index < 10; index += 1) {
    await book.declare(
      agent(),
      Array.from({ length: 100 }, (_none, port) => tcp(1 + index * 100 + port)),
    );
  }
  expect(store.ports()).toHaveLength(maxPortsPerIdentity);
});

test('streams that end because the control plane does change nothing of what is known', async () => {
  const { book, open, store } = await openBook();
  const [older, newer] = [agent(), agent()];
  await book.declare(older, [tcp(80)]);
  await book.declare(newer, [http(80)]);
  book.close();
  book.leave(older);
  book.leave(newer);
  await store.write(() => undefined); // behind whatever was to be written
  expect(open().workloads()[0]?.ports?.get(80)).toBe('tcp');
});
