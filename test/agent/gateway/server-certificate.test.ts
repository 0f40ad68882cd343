import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AgentEvent } from '#agent/events.ts';
import { ServerCertificate, type ServerPair } from '#agent/gateway/server-certificate.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { GatewayStage, http2Outsider, sendHttps } from '#support/gateway-stage.ts';
import { ask } from '#support/h2-apps.ts';
import { createTestDomain } from '#support/identities.ts';
import { createIdentityFolder, type FolderStyle, type IdentityFolder } from '#support/identity-folder.ts';
import { PairWorld } from '#support/pair-world.ts';
import { createTestCa, makeWeakKeys, type CertificateRecipe } from '#support/test-ca.ts';

const ca = createTestCa({ nowMs: Date.now() });
const hourMs = 3_600_000;

let folder: IdentityFolder;
let events: AgentEvent[];
let pairs: ServerPair[];
let ended: AbortController;

beforeEach(() => {
  folder = createIdentityFolder();
  events = [];
  pairs = [];
  ended = new AbortController();
});
afterEach(() => {
  ended.abort();
  folder[Symbol.dispose]();
});

function certificate(): ServerCertificate {
  return new ServerCertificate({
    config: {
      listen: { host: '127.0.0.1', port: 0 },
      certificatePath: join(folder.path, 'tls.crt'),
      keyPath: join(folder.path, 'tls.key'),
    },
    clock: systemClock,
    emit: (event) => void events.push(event),
    onPair: (pair) => void pairs.push(pair),
  });
}

const write = (recipe: CertificateRecipe = {}): void => folder.write(ca.leaf('gateway', recipe), [ca]);
const refusals = (): string[] =>
  events.flatMap((event) => (event.event === 'gateway.certificate-refused' ? [event.problem] : []));

test('a good pair is taken at the start, and told', async () => {
  write();
  await certificate().first(ended.signal);
  expect(pairs).toHaveLength(1);
  const [{ serialHex, notAfterMs }] = pairs as [ServerPair];
  expect(events).toEqual([{ event: 'gateway.certificate-applied', serialHex, notAfterMs }]);
});

test('at the start a pair may come a little later', async () => {
  const first = certificate().first(ended.signal);
  await expect.poll(refusals).toEqual([expect.stringContaining('tls.crt is missing')]); // what it waits for, once
  write();
  await first;
  expect(pairs).toHaveLength(1);
  expect(refusals()).toHaveLength(1);
});

describe.each(['plain', 'kubernetes'] as const)('a folder written like %s', (style: FolderStyle) => {
  test('shows the next pair soon, and nothing else than good ones (A69, A77)', async () => {
    folder[Symbol.dispose]();
    folder = createIdentityFolder(style);
    write();
    const watched = certificate();
    await watched.first(ended.signal);
    watched.follow(ended.signal).catch(() => undefined);
    write();
    await expect.poll(() => pairs.length, { timeout: 5_000 }).toBe(2);
    const heal = folder.spoil('garbage');
    await expect.poll(refusals, { timeout: 5_000 }).toHaveLength(1);
    heal();
    write();
    await expect.poll(() => pairs.length, { timeout: 5_000 }).toBe(3);
    expect(new Set(pairs.map(({ serialHex }) => serialHex)).size).toBe(3);
  });
});

describe('what is no good replaces nothing, and is told once', () => {
  const nowMs = Date.now();
  test.each<[string, () => void, RegExp]>([
    [
      'another key',
      () => writeFileSync(join(folder.path, 'tls.key'), ca.leaf('other').keyPem),
      /not the certificate of the key/,
    ],
    ['no key', () => rmSync(join(folder.path, 'tls.key')), /tls\.key is missing/],
    ['no certificate', () => rmSync(join(folder.path, 'tls.crt')), /tls\.crt is missing/],
    ['half a file', () => truncate('tls.crt'), /in PEM that can be used/],
    ['half a key', () => truncate('tls.key'), /in PEM that can be used/],
    ['an expired one', () => write({ notBeforeMs: nowMs - 2 * hourMs, notAfterMs: nowMs - hourMs }), /has expired/],
    ['one of tomorrow', () => write({ notBeforeMs: nowMs + hourMs, notAfterMs: nowMs + 2 * hourMs }), /not valid yet/],
    ['a weak key', () => write({ keys: makeWeakKeys('rsa-1024') }), /that can be used/],
    ['a huge file', () => writeFileSync(join(folder.path, 'tls.crt'), 'x'.repeat(300_000)), /larger than/],
  ])('%s', async (_what, spoil, problem) => {
    write();
    const watched = certificate();
    await watched.first(ended.signal);
    watched.follow(ended.signal).catch(() => undefined);
    spoil();
    await expect.poll(refusals, { timeout: 5_000 }).toEqual([expect.stringMatching(problem)]);
    expect(pairs).toHaveLength(1);
    expect(JSON.stringify(events)).not.toContain('PRIVATE');
  });

  function truncate(name: string): void {
    const path = join(folder.path, name);
    writeFileSync(path, readFileSync(path, 'latin1').slice(0, 100));
  }
});

test('callers meet the new certificate from then on; connections and requests of before live on (M2)', async () => {
  const world = new PairWorld(await createTestDomain());
  try {
    const stage = new GatewayStage(world);
    let answer = (): void => undefined;
    const app = await world.httpApp((incoming, reply) => {
      if (incoming.url !== '/slow') return void reply.end('ok');
      answer = () => reply.end('slow');
    });
    const orders = await stage.workload('orders', app);
    const gateway = await stage.gateway(['shop.example/ → orders']);
    const session = http2Outsider(gateway);
    world.onEnd(() => session.destroy());
    const slow = ask(session, { ':path': '/slow' });
    const before = await sendHttps(gateway, 'https://shop.example/');
    expect(before.body).toBe('ok');

    const failures: unknown[] = [];
    const serials: string[] = [];
    for (let swap = 0; swap < 3; swap += 1) {
      gateway.renew();
      const applied = 2 + swap;
      const isApplied = (): boolean =>
        gateway.events.filter(({ event }) => event === 'gateway.certificate-applied').length >= applied;
      const deadlineMs = Date.now() + 5_000;
      while (!isApplied() && Date.now() < deadlineMs) {
        await sendHttps(gateway, 'https://shop.example/').catch((error: unknown) => failures.push(error));
      }
      serials.push((await sendHttps(gateway, 'https://shop.example/')).serialHex);
      await orders.rotate();
    }
    expect(failures).toEqual([]);
    expect(new Set([before.serialHex, ...serials]).size).toBe(4);
    answer();
    expect((await slow).body).toBe('slow');
  } finally {
    world[Symbol.dispose]();
  }
});
