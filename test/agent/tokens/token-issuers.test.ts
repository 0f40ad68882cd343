import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { IssuerKeysConfig, TokenIssuerConfig } from '#agent/config-types.ts';
import type { AgentEvent } from '#agent/events.ts';
import type { TrustedKeys } from '#agent/tokens/issuer-keys.ts';
import { KnownKeys } from '#agent/tokens/known-keys.ts';
import { TokenIssuers } from '#agent/tokens/token-issuers.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createTestCa } from '#support/test-ca.ts';
import { newKey, nowMs, sts, stsKey } from '#support/tokens.ts';
import { writeKeySet, type SigningKey } from '#tokens/signing-key.ts';

const jwks = (...keys: readonly SigningKey[]): string => writeKeySet(keys.map(({ publicJwk }) => publicJwk));

function issuerOf(keys: IssuerKeysConfig, changes: Partial<TokenIssuerConfig> = {}): TokenIssuerConfig {
  return {
    ...{ name: 'sts', issuer: sts, keys, algorithms: ['ES256'], typ: 'at+jwt', claimMap: {} },
    subjects: { trustDomains: ['shop.example'], ownNames: 'refuse' },
    maxLifetimeSeconds: 300,
    ...changes,
  };
}

function start(issuers: readonly TokenIssuerConfig[] | undefined, random = () => 0.5) {
  const clock = createFakeClock(nowMs);
  const events: AgentEvent[] = [];
  const told: TrustedKeys[] = [];
  const book = new TokenIssuers({
    ...{ issuers, trustDomain: 'shop.example', clock, random },
    emit: (event) => void events.push(event),
    onKeys(keys) {
      told.push(keys);
      known.use(keys);
    },
  });
  const known = new KnownKeys({ clock, onWanted: (issuer) => book.wanted(issuer) });
  const stop = new AbortController();
  const running = book.run(stop.signal);
  running.catch(() => undefined);
  onTestFinished(async () => {
    stop.abort(new Error('done'));
    await expect(running).rejects.toThrow('done');
    expect(clock.waiting(), 'no timer is left behind').toBe(0);
  });
  const kids = (issuer = sts): readonly string[] => [...(known.issuers.get(issuer)?.keys.keys.keys() ?? [])];
  const problems = () => events.flatMap((event) => (event.event === 'token-keys.refused' ? [event.problem] : []));
  const eventually = (claim: () => void, stepMs = 500) =>
    vi.waitFor(
      async () => {
        await clock.advance(stepMs);
        claim();
      },
      { interval: 10, timeout: 15_000 }, // real time, in which servers answer
    );
  return { book, known, clock, events, told, kids, problems, eventually };
}

/** A key server with a certificate of a CA of its own. */
async function keyServer(answer: RequestListener): Promise<IssuerKeysConfig & { readonly kind: 'url' }> {
  const ca = createTestCa({ nowMs: Date.now() });
  const leaf = ca.leaf('keys', { names: [{ kind: 'dns', text: 'localhost' }] });
  const server: Server = createServer({ cert: leaf.chainPem, key: leaf.keyPem }, answer);
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const dir = await mkdtemp(join(tmpdir(), 'eastwest-keys-'));
  await writeFile(join(dir, 'ca.pem'), ca.bundlePem);
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await rm(dir, { recursive: true, force: true });
  });
  const { port } = server.address() as AddressInfo;
  const url = `https://localhost:${port}/jwks`;
  return { kind: 'url', url, caPath: join(dir, 'ca.pem'), refreshMs: 300_000, keepMs: 3_600_000 };
}

describe('keys that the control plane pushes', () => {
  const pushed = { kind: 'pushed' } as const;

  test('are believed of the issuers that are configured, and of no other (A13, S71)', () => {
    const { book, known, kids } = start([issuerOf(pushed)]);
    expect(kids()).toEqual([]);
    expect(book.takePushed([{ issuer: sts, jwks: jwks(stsKey), version: 1 }])).toBe('');
    book.takePushed([
      { issuer: sts, jwks: jwks(stsKey), version: 1 },
      { issuer: 'https://other.example', jwks: jwks(newKey()), version: 1 },
    ]);
    expect(kids()).toEqual([stsKey.kid]);
    expect([...known.issuers.keys()]).toEqual([sts]);
  });

  test('are believed as they come where no issuer is configured, for workloads of the own trust domain alone', () => {
    const { book, known } = start(undefined);
    book.takePushed([{ issuer: sts, jwks: jwks(stsKey), version: 1 }]);
    expect(known.issuers.get(sts)?.subjects).toEqual({ trustDomains: ['shop.example'], ownNames: 'refuse' });
  });

  test('A22, A24: what is bad or older replaces nothing and is told once; none at all revokes all (A23)', () => {
    const { book, known, kids, problems } = start([issuerOf(pushed)]);
    const take = (text: string, version: number) => book.takePushed([{ issuer: sts, jwks: text, version }]);
    take(jwks(stsKey), 5);
    expect(take(jwks(newKey()), 4)).toBe('rollback');
    const secret = JSON.stringify({ keys: [{ ...stsKey.publicJwk, d: stsKey.publicJwk.x }] });
    expect(take(secret, 6)).toBe('private-key');
    expect(take('<html>', 6)).toBe('malformed');
    expect(take('<html>', 6)).toBe('malformed');
    expect(kids()).toEqual([stsKey.kid]);
    expect(problems()).toEqual(['rollback', 'private-key', 'malformed']);
    const { epoch } = known;
    expect(take('{"keys":[]}', 7)).toBe('');
    expect(kids()).toEqual([]);
    expect(known.epoch, 'A25: no verdict outlives its key').toBe(epoch + 1);
  });

  test('S79, S80: a key that comes disturbs no verdict, one that goes ends them', () => {
    const { book, known } = start([issuerOf(pushed)]);
    const next = newKey();
    const take = (text: string, version: number) => book.takePushed([{ issuer: sts, jwks: text, version }]);
    take(jwks(stsKey), 1);
    const { epoch } = known;
    take(jwks(stsKey, next), 2);
    expect(known.epoch).toBe(epoch);
    take(jwks(next), 3);
    expect(known.epoch).toBe(epoch + 1);
    book.takePushed([]);
    expect(known.epoch, 'the issuer is withdrawn').toBe(epoch + 2);
  });
});

describe('keys in a file (S66)', () => {
  test('are followed; a bad one replaces nothing', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'eastwest-jwks-'));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const path = join(dir, 'jwks.json');
    const { kids, problems, eventually } = start([issuerOf({ kind: 'file', path })]);
    await eventually(() => expect(problems()).toEqual([`${path} is missing`]));
    await writeFile(path, jwks(stsKey));
    await eventually(() => expect(kids()).toEqual([stsKey.kid]));
    await writeFile(path, '{"keys": [');
    await eventually(() => expect(problems().at(-1)).toBe('malformed'));
    expect(kids()).toEqual([stsKey.kid]);
    const next = newKey();
    await writeFile(path, jwks(next));
    await eventually(() => expect(kids()).toEqual([next.kid]));
  });
});

describe('keys that are fetched (S67, S69)', () => {
  test('from a server whose CA is configured (S73), and refreshed unasked', async () => {
    let document = jwks(stsKey);
    const config = await keyServer((_, reply) => void reply.end(document));
    const { kids, eventually } = start([issuerOf(config)]);
    await eventually(() => expect(kids()).toEqual([stsKey.kid]), 1);
    const next = newKey();
    document = jwks(stsKey, next);
    await eventually(() => expect(kids()).toEqual([stsKey.kid, next.kid]), 4_000);
  });

  test('A22: no redirect, no unknown server, nothing huge; the last good ones stay', async () => {
    let answer: RequestListener = (_, reply) => void reply.end(jwks(stsKey));
    let canary = 0;
    const elsewhere = await keyServer(() => void (canary += 1));
    const config = { ...(await keyServer((incoming, reply) => answer(incoming, reply))), keepMs: 360_000_000 };
    const { kids, problems, eventually } = start([
      issuerOf(config),
      issuerOf({ ...config, caPath: elsewhere.caPath }, { name: 'stranger', issuer: 'https://stranger.example' }),
    ]);
    await eventually(() => expect(kids()).toEqual([stsKey.kid]), 1);
    await eventually(() => expect(problems().join()).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED|CERT/), 1);
    for (const [bad, problem] of [
      [(_, reply) => void reply.writeHead(302, { location: elsewhere.url }).end(), 'redirects are refused'],
      [(_, reply) => void reply.writeHead(503).end(), 'status 503'],
      [(_, reply) => void reply.end(Buffer.alloc(300_000, 0x20)), 'is larger than 262144 bytes'],
      [(_, reply) => void reply.end('<html>'), 'malformed'],
    ] satisfies [RequestListener, string][]) {
      answer = bad;
      await eventually(() => expect(problems()).toContain(problem), 4_000);
    }
    expect(kids()).toEqual([stsKey.kid]);
    expect(canary).toBe(0);
  });

  test('are believed for no longer than `keepFor` while fetches fail, and again when one succeeds', async () => {
    let isUp = true;
    const config = await keyServer((_, reply) => void (isUp ? reply.end(jwks(stsKey)) : reply.writeHead(503).end()));
    const { kids, known, clock, eventually, problems } = start([issuerOf({ ...config, keepMs: 600_000 })]);
    await eventually(() => expect(kids()).toEqual([stsKey.kid]), 1);
    isUp = false;
    const { epoch } = known;
    await eventually(() => expect(problems()).toContain('status 503'), 4_000);
    expect(kids()).toEqual([stsKey.kid]);
    await eventually(() => expect(kids()).toEqual([]), 4_000);
    expect(known.epoch).toBe(epoch + 1);
    expect(clock.monotonic()).toBeGreaterThanOrEqual(600_000);
    isUp = true;
    await eventually(() => expect(kids()).toEqual([stsKey.kid]), 4_000);
  });

  test.each(['up', 'failing', 'hanging'] as const)(
    'A5, A6, S78: 10,000 tokens with random keys cost one fetch while the endpoint is %s, and wait in bounds',
    async (endpoint) => {
      let fetches = 0;
      let isFlooded = false;
      const config = await keyServer((_, reply) => {
        fetches += 1;
        if (!isFlooded || endpoint === 'up') reply.end(jwks(stsKey));
        else if (endpoint === 'failing') reply.writeHead(500).end();
      });
      const { known, kids, clock, eventually, told } = start([issuerOf(config)]);
      const answered = (): number => told.at(-1)?.[0]?.fetches?.answered ?? 0;
      await eventually(() => expect(kids()).toEqual([stsKey.kid]), 1);
      await clock.advance(20_000); // what was fetched is not fresh any more
      isFlooded = true;
      fetches = 0;
      const before = answered();
      const waits = Array.from({ length: 10_000 }, () => known.awaitKeys(sts));
      const waiting = waits.filter((wait) => wait !== undefined);
      expect(waiting).toHaveLength(64);
      let over = 0;
      for (const wait of waiting) void wait.then(() => (over += 1));
      await eventually(() => expect(over).toBe(64), 1_000);
      expect(kids(), 'S76: who is known need not wait').toEqual([stsKey.kid]);
      await vi.waitFor(() => expect(fetches).toBe(1), { timeout: 10_000 });
      if (endpoint === 'hanging') await clock.advance(5_000); // until the fetch is given up
      await vi.waitFor(() => expect(answered()).toBe(before + 1), { timeout: 10_000 });
      expect(known.awaitKeys(sts), 'within the window nobody waits').toBeUndefined();
      expect(fetches).toBe(1);
    },
  );

  test('S71: an unknown issuer is not worth any network', async () => {
    const { known } = start([issuerOf({ kind: 'pushed' })]);
    expect(known.awaitKeys('https://attacker.example')).toBeUndefined();
    expect(known.awaitKeys(sts), 'what is pushed comes by itself').toBeUndefined();
  });
});
