import { expect, test } from 'vitest';
import { send } from '#support/pair-world.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

test.each(['serial', 'keyThumbprint'] as const)(
  'M8, A46: a refusal by the %s on a deny list is explained by that list, and by none that has ended',
  async (target) => {
    const app = await world.httpApp((_, reply) => reply.end());
    const { port, prices, cart: caller } = await world.pair(app);
    const { spiffeId, serialHex, keyThumbprint } = caller.store.current()!.svid;
    const named = target === 'serial' ? serialHex : keyThumbprint;
    prices.push(`apiVersion: eastwest.dev/v1
kind: DenyList
metadata: { namespace: default, name: lost }
spec:
  entries:
    - { spiffeId: '${spiffeId}', reason: long ago, expiresAt: '2020-01-01T00:00:00Z' }
    - { ${target}: '${named}', reason: lost laptop }
`);
    const { status, headers } = await send(port);
    expect(status).toBe(403);
    const told = prices.decision(String(headers['x-eastwest-decision']));
    expect(told?.explanation).toMatchObject({
      verdict: 'deny',
      decision: { allow: true },
      denyLists: [{ list: 'default/lost', reason: 'lost laptop' }],
    });
  },
);
