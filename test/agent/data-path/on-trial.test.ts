import { expect, test } from 'vitest';
import { send } from '#support/pair-world.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

/** One document, for workloads of cart's namespace. */
function policy(spec: string, name: string): string {
  return `apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata: { namespace: default, name: ${name} }
spec: ${spec}
---
`;
}

test('rules that look on are told each time, and change nothing', async () => {
  const app = await world.httpApp((_, reply) => reply.end());
  const { port, prices } = await world.pair(app);
  prices.push(
    policy('{ action: AUDIT, rules: [{ to: [{ operation: { paths: [/a] } }] }] }', 'watch') +
      policy('{ action: DENY, rules: [{ dryRun: true, to: [{ operation: { paths: [/a] } }] }] }', 'trial'),
  );
  for (let count = 0; count < 3; count += 1) expect((await send(port, { path: '/a' })).status).toBe(200);
  const told = prices.events.filter(({ event }) => event === 'inbound.audited' || event === 'inbound.on-trial');
  expect(told.map((event) => ('verdict' in event ? event.verdict : 'audited'))).toEqual(
    Array.from({ length: 3 }, () => ['audited', 'would-deny']).flat(),
  );
});

test('an ALLOW policy on trial tells whom it would shut out, and shuts nobody out', async () => {
  const app = await world.httpApp((_, reply) => reply.end());
  const { port, prices } = await world.pair(app, { allow: [] });
  const mesh =
    'apiVersion: eastwest.dev/v1\nkind: MeshPolicy\nmetadata: { name: mesh }\nspec: { defaultAction: allow }\n---\n';
  prices.push(
    mesh + policy("{ rules: [{ dryRun: true, to: [{ operation: { paths: ['/prices/{id}'] } }] }] }", 'trial'),
  );
  expect((await send(port, { path: '/prices/7' })).status).toBe(200);
  expect((await send(port, { path: '/other' })).status).toBe(200);
  expect(prices.events.filter(({ event }) => event === 'inbound.on-trial')).toMatchObject([
    { port: 7002, verdict: 'would-deny', rule: 'default/trial' },
  ]);
});
