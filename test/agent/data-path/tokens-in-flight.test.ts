import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { createFakeClock } from '#support/fake-clock.ts';
import { send } from '#support/pair-world.ts';
import { bearer, lastDenied, startTokenPort, trustedKeys, type TokenPortOptions } from '#support/port-tokens.ts';
import { gone } from '#support/pushed-policies.ts';
import { newKey, stsKey } from '#support/tokens.ts';
import { until } from '#support/until.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();
const start = (options?: TokenPortOptions) => startTokenPort(world, options);

const challenge = 'Bearer error="invalid_token"';
const other = newKey();
const now = Math.floor(Date.now() / 1_000);

describe('what a port may say of tokens', () => {
  test('S83: `audit-only` notes one for another audience and lets it pass; all else must be good', async () => {
    const { port, token, prices } = await start({ settings: { mode: 'audit-only' } });
    const orders = 'spiffe://test.example/ns/default/sa/orders';
    for (let n = 0; n < 2; n += 1)
      expect((await send(port, { headers: bearer(token({ claims: { aud: orders } })) })).status).toBe(200);
    expect(prices.events.filter(({ event }) => event === 'inbound.token-audited')).toHaveLength(2);
    expect(prices.events).toContainEqual(expect.objectContaining({ event: 'inbound.token-audited', audience: orders }));
    expect((await send(port, { headers: bearer(token()) })).status).toBe(200);
    for (const bad of [
      { aud: '*' },
      { aud: [orders, 'b'] },
      { aud: orders, exp: now - 400, iat: now - 600, nbf: now - 600 },
      { aud: orders, cnf: undefined },
    ]) {
      expect((await send(port, { headers: bearer(token({ claims: bad })) })).status).toBe(401);
    }
  });

  test('`forward: token` gives the app the one that was judged; `claims` what it says (S84)', async () => {
    const passing = await start({ settings: { forward: 'token', header: 'x-access-token' } });
    const text = passing.token();
    const both = { 'x-access-token': text, x_access_token: 'forged' };
    expect((await send(passing.port, { headers: both })).status).toBe(200);
    expect(passing.heard[0]?.headers).toMatchObject({ 'x-access-token': text });
    expect(passing.heard[0]?.raw).not.toContain('forged');

    const telling = await start({ settings: { forward: 'claims' } });
    const good = telling.token({
      claims: { roles: ['premium', 'größer'], act: { sub: world.domain.spiffeId('web') } },
    });
    for (let n = 0; n < 2; n += 1) expect((await send(telling.port, { headers: bearer(good) })).status).toBe(200);
    const told = String(telling.heard[1]?.headers['x-eastwest-token-claims']);
    expect(JSON.parse(Buffer.from(told, 'base64url').toString())).toMatchObject({
      sub: world.domain.spiffeId('cart'),
      ...{ scope: 'prices.read', roles: ['premium', 'größer'] },
      act: [{ sub: world.domain.spiffeId('web') }],
    });
    expect(telling.heard[1]?.headers.authorization).toBeUndefined();
  });

  test('another audience by configuration; unbound tokens where that is allowed', async () => {
    const { port, token } = await start({ settings: { audience: 'https://api.example' as never, unbound: 'accept' } });
    expect(
      (await send(port, { headers: bearer(token({ claims: { aud: 'https://api.example', cnf: undefined } })) })).status,
    ).toBe(200);
    expect((await send(port, { headers: bearer(token()) })).status).toBe(401);
  });
});

describe('what runs, and what is remembered', () => {
  async function running(options: TokenPortOptions = {}) {
    const started = await start(options);
    const text = started.token();
    const slow = request({ port: started.port, host: '127.0.0.1', path: '/slow', headers: bearer(text) });
    slow.on('error', () => undefined).end();
    const [answer] = (await once(slow, 'response')) as [IncomingMessage];
    let isOver = false;
    void gone(answer).then(() => (isOver = true));
    return { ...started, text, isOver: () => isOver };
  }

  test('A25, S80: ends at once when the key is revoked, the remembered verdict too', async () => {
    const { port, prices, text, isOver } = await running();
    expect((await send(port, { headers: bearer(text) })).status).toBe(200);
    prices.useTokenKeys(trustedKeys([other, stsKey]));
    expect((await send(port, { headers: bearer(text) })).status, 'a key that comes ends nothing').toBe(200);
    expect(isOver()).toBe(false);
    prices.useTokenKeys(trustedKeys([other]));
    await until(isOver);
    expect((await send(port, { headers: bearer(text) })).status).toBe(401);
    expect(lastDenied({ prices })).toMatchObject({ token: 'unknown-kid' });
  });

  test('S85: ends when a deny list names it, its key, its client or its user', async () => {
    for (const target of [
      'jti: t1',
      `kid: ${JSON.stringify(stsKey.kid)}`,
      `client: ${world.domain.spiffeId('cart')}`,
      `user: ${world.domain.spiffeId('cart')}`,
    ]) {
      const { port, prices, text, isOver } = await running();
      prices.push(denyList(`{ ${target}, issuer: https://elsewhere.example, reason: not of this issuer }`));
      expect((await send(port, { headers: bearer(text) })).status).toBe(200);
      prices.push(denyList(`{ ${target}, reason: it was lost }`));
      await until(isOver);
      const refused = await send(port, { headers: bearer(text) });
      expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, challenge]);
      expect(lastDenied({ prices })).toMatchObject({ reason: 'token-denied', rule: 'it was lost' });
    }
  });

  const denyList = (entry: string) => `apiVersion: eastwest.dev/v1
kind: DenyList
metadata: { namespace: default, name: lost }
spec: { entries: [${entry}] }`;

  test('lives on when its token expires, or ends with it where `whenExpired` says so', async () => {
    const limits = { stallMs: 3_600_000, idleMs: 3_600_000 };
    const patient = { limits, callerLimits: limits };
    for (const whenExpired of ['keep', 'end'] as const) {
      const clock = createFakeClock(Date.now());
      const { port, text, isOver, prices } = await running({ ...patient, whenExpired, clock, lifeMs: 3_600_000 });
      await clock.advance(329_000);
      expect(isOver()).toBe(false);
      await clock.advance(3_000);
      if (whenExpired === 'end') await until(isOver);
      else prices.push(''); // what is looked at again stays
      expect(isOver()).toBe(whenExpired === 'end');
      expect((await send(port, { headers: bearer(text) })).status).toBe(401);
      if (whenExpired === 'end') continue;
      prices.useTokenKeys(trustedKeys([other]));
      await until(isOver); // an expired token's key can be revoked all the same
    }
  });

  test('a token with a new key waits for the fetch of it, one that comes too early for another does not', async () => {
    const { port, prices, token } = await start();
    const keys = (answered: number, restMs: number, ...trusted: readonly (typeof other)[]) =>
      trustedKeys(trusted).map((each) => ({ ...each, fetches: { answered, restMs } }));
    prices.useTokenKeys(keys(1, 0, stsKey));
    let status = 0;
    const waiting = send(port, { headers: bearer(token({ key: other })) }).then((reply) => (status = reply.status));
    await until(() => prices.counters.inboundRequests === 1);
    expect((await send(port, { headers: bearer(token()) })).status, 'A6: a known key waits for nobody').toBe(200);
    expect(status).toBe(0);
    prices.useTokenKeys(keys(2, 10_000, stsKey, other));
    expect(await waiting).toBe(200);
    expect((await send(port, { headers: bearer(token({ key: newKey() })) })).status).toBe(401);
  });
});

describe('rules about the token', () => {
  const scopes = `apiVersion: eastwest.dev/v1
kind: ScopeTemplates
metadata: { namespace: default, name: scopes }
spec:
  scopes:
    - { scope: prices.read, method: GET, path: "/prices/{id}" }
    - { scope: prices.write, method: PUT, path: "/prices/{id}" }
---
apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata: { namespace: default, name: by-scope }
spec:
  rules:
    - to: [{ operation: { scopes: [prices.read, prices.write] } }]
    - { from: [{ source: { roles: [premium] } }], to: [{ operation: { paths: [/premium] } }] }
`;

  test('S82: the scope decides about verb and path, and a missing one is told as that', async () => {
    const { port, prices, token, heard } = await start({ allow: [] });
    prices.push(scopes);
    const headers = bearer(token());
    expect((await send(port, { path: '/prices/1', headers })).status).toBe(200);
    const refused = await send(port, { method: 'PUT', path: '/prices/1', headers });
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([403, 'Bearer error="insufficient_scope"']);
    expect(lastDenied({ prices })).toMatchObject({ reason: 'insufficient-scope' });
    expect(prices.decision(String(refused.headers['x-eastwest-decision']))?.explanation.suggestion).toEqual({
      possible: false,
      why: 'another-token',
    });
    const other = await send(port, { method: 'DELETE', path: '/prices/1', headers });
    expect([other.status, other.headers['www-authenticate']]).toEqual([403, undefined]);
    const write = bearer(token({ claims: { scope: 'prices.write' } }));
    expect((await send(port, { method: 'PUT', path: '/prices/1', headers: write })).status).toBe(200);
    expect(heard).toHaveLength(2);
  });

  test('S84: so do roles', async () => {
    const { port, prices, token } = await start({ allow: [] });
    prices.push(scopes);
    const premium = bearer(token({ claims: { roles: ['premium'] } }));
    expect((await send(port, { path: '/premium', headers: premium })).status).toBe(200);
    expect((await send(port, { path: '/premium', headers: bearer(token()) })).status).toBe(403);
  });

  test('a rule about tokens admits nobody at a port that asks for none', async () => {
    const { port, prices, token } = await start({ allow: [], token: undefined });
    prices.push(scopes);
    expect((await send(port, { path: '/prices/1', headers: bearer(token()) })).status).toBe(403);
  });
});
