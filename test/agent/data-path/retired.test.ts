import { expect, test } from 'vitest';
import { createTestDomain } from '#support/identities.ts';
import { PairWorld, send } from '#support/pair-world.ts';

test('a session that is retired just as a request chose it costs that request nothing (M2)', async () => {
  using world = new PairWorld(await createTestDomain());
  const app = await world.httpApp((_, reply) => reply.end('ok'));
  const { port, cart } = await world.pair(app);
  for (let turn = 0; turn < 40; turn += 1) {
    const replies = Array.from({ length: 8 }, () => send(port)); // a connection, and so a stream, of its own each
    void cart.rotate();
    for (const reply of await Promise.all(replies)) expect(reply.status).toBe(200);
  }
  expect(cart.counters.failed).toBe(0);
});
