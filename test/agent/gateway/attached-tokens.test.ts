import type { IncomingHttpHeaders } from 'node:http';
import { expect, test } from 'vitest';
import { claimsOf, FakeTokenIssuer } from '#support/fake-issuer-of-tokens.ts';
import { GatewayStage, sendHttps } from '#support/gateway-stage.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();
const token = { audience: undefined, scopes: ['orders.read'], issuer: undefined };

async function stage(header: string) {
  const seen: IncomingHttpHeaders[] = [];
  const appPort = await world.httpApp((request, response) => {
    seen.push(request.headers);
    response.end('ok');
  });
  const mesh = new GatewayStage(world);
  await mesh.workload('orders', appPort);
  const issuer = new FakeTokenIssuer();
  const options = { token: { ...token, header }, issuers: { '': issuer.exchange } };
  return { gateway: await mesh.gateway(['shop.example/ → orders'], options), seen, issuer };
}

const url = 'https://shop.example/';
const fromOutside = { headers: { authorization: 'Bearer of a user' } };

test('a route of the gateway attaches the gateway’s own token, for the workload that it leads to (S16)', async () => {
  const { gateway, seen, issuer } = await stage('authorization');
  const replies = await Promise.all(Array.from({ length: 5 }, () => sendHttps(gateway, url, fromOutside)));
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
  for (const { authorization = '' } of seen) {
    expect(claimsOf(authorization)).toMatchObject({
      aud: world.domain.spiffeId('orders'),
      sub: world.domain.spiffeId('gateway'),
      scope: 'orders.read',
    });
  }
  expect(issuer.calls.length).toBe(1);
});

test('a user’s token goes on where ours has a field of its own', async () => {
  const { gateway, seen } = await stage('x-access-token');
  await sendHttps(gateway, url, fromOutside);
  expect(seen[0]?.authorization).toBe('Bearer of a user');
  expect(claimsOf(String(seen[0]?.['x-access-token']))['aud']).toBe(world.domain.spiffeId('orders'));
});

test('what goes wrong with it is not told outside', async () => {
  const { gateway, seen, issuer } = await stage('authorization');
  issuer.mood = 'refuse';
  const { status, body } = await sendHttps(gateway, url, fromOutside);
  expect(status).toBe(502);
  expect(body).not.toMatch(/token|issuer/i);
  expect(seen).toEqual([]);
});
