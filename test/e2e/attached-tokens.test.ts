import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trustBundleToPem } from '#certs/trust-bundle.ts';
import { ok } from '#runtime/result.ts';
import { x5tS256 } from '#tokens/confirmation.ts';
import { startReadyAgent } from '#support/agent-process.ts';
import { startFakeControlPlane, type FakeControlPlane } from '#support/fake-control-plane.ts';
import { claimsOf, FakeTokenIssuer } from '#support/fake-issuer-of-tokens.ts';
import { send } from '#support/pair-world.ts';
import { startHttpApp } from '#support/apps.ts';
import { audience } from '#support/tokens.ts';
import { tokenWish } from '#agent/tokens/token-wish.ts';

const svidLifeMs = 8_000;
const prices = 'spiffe://shop.example/ns/default/sa/prices';
let fake: FakeControlPlane;
let folder: string;
const issuer = new FakeTokenIssuer({ lifeSeconds: 6 });

beforeAll(async () => {
  fake = await startFakeControlPlane({ svidLifeMs });
  folder = mkdtempSync(join(tmpdir(), 'eastwest-tokens-'));
  writeFileSync(join(folder, 'trust-bundle.pem'), trustBundleToPem(fake.bundle));
  for (const name of ['cart', 'prices']) writeFileSync(join(folder, name), `token-of-${name}\n`);
  fake.exchangeBy(async (request, peer) => {
    if (peer.kind !== 'svid') throw new Error('a call without an SVID');
    const wish = tokenWish(audience(request.audience), { issuer: undefined, scopes: request.scopes });
    const token = await issuer.mint(peer.svid, wish);
    const issuedAtMs = Date.now();
    const expiresAtMs = issuedAtMs + issuer.lifeSeconds * 1_000;
    return ok({ kind: 'issued', token, issuedTokenType: 'urn:x', scopes: request.scopes, issuedAtMs, expiresAtMs });
  });
});
afterAll(async () => {
  await fake[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const agent = (workload: string, more: object) =>
  startReadyAgent({
    workload,
    trustDomain: 'shop.example',
    identity: {
      controlPlane: {
        address: fake.address,
        trustBundle: join(folder, 'trust-bundle.pem'),
        joinToken: { file: join(folder, workload) },
      },
    },
    log: 'debug',
    ...more,
  });

/** Calls until `forMs` have passed; statuses that came back. */
async function load(port: number, forMs: number): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  const untilMs = performance.now() + forMs;
  const caller = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      const { status } = await send(port);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 6 }, caller));
  return statuses;
}

test.each([1, 2])(
  'with %i workers, 8 s certificates and 6 s tokens no request fails, each token is its connection’s, and issuers are asked once for all (S20, S52)',
  async (workers) => {
    await using app = await startHttpApp();
    await using callee = await agent('prices', {
      inbound: {
        listen: '127.0.0.1:0',
        ports: [{ port: 7002, app: app.at, protocol: 'http', allow: ['*'] }],
      },
    });
    const { host, port } = await callee.address('inbound');
    const upstream = { workload: 'prices', port: 7002, listen: '127.0.0.1:0', protocol: 'http' };
    await using cart = await agent('cart', {
      workers,
      outbound: {
        upstreams: [{ ...upstream, spiffeId: prices, endpoints: [`${host}:${port}`], token: { mode: 'attach' } }],
      },
    });
    const before = fake.exchangeCalls.length;
    const at = await cart.address('upstream prices:7002');
    const statuses = await load(at.port, 16_000);
    expect([...statuses.keys()]).toEqual([200]);
    const { rotations } = await cart.status();
    expect(rotations).toBeGreaterThanOrEqual(2);
    const wrong = app.seen.filter(({ headers }) => {
      const field = (name: string): string => headers[headers.indexOf(name) + 1] ?? '';
      const [, hash = ''] = /Hash=([0-9a-f]{64})/.exec(field('x-forwarded-client-cert')) ?? [];
      const { cnf, aud } = claimsOf(field('authorization'));
      return (cnf as Record<string, string>)['x5t#S256'] !== x5tS256(hash) || aud !== prices;
    });
    expect(wrong.length).toBe(0);
    const windows = rotations + 1 + Math.ceil(16_000 / (issuer.lifeSeconds * 1_000 * 0.6));
    expect(fake.exchangeCalls.length - before).toBeLessThanOrEqual(windows);
    expect(JSON.stringify([cart.events, cart.notes, callee.events, callee.notes])).not.toContain('eyJ'); // A39
    const { body } = await cart.ask('GET', '/metrics');
    expect(body).toMatch(/eastwest_token_exchanges_total\{issuer="control-plane",result="issued"\} \d/);
    expect(body).not.toContain('result="no-token"');
  },
  60_000,
);
