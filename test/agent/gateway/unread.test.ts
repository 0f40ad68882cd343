import { expect, test } from 'vitest';
import { GatewayStage } from '#support/gateway-stage.ts';
import { sendRaw } from '#support/pair-world.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

test('a first line that is not HTTP has no destination', async () => {
  const stage = new GatewayStage(world);
  await stage.workload('orders', await world.httpApp((_, reply) => reply.end()));
  const gateway = await stage.gateway(['shop.example/orders → orders']);
  expect(await sendRaw(gateway.httpPort, '\0\0 what?\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  await expect.poll(() => gateway.lines).toMatchObject([{ direction: 'gateway', outcome: 'denied', status: 400 }]);
  expect(gateway.lines[0]).not.toHaveProperty('destination');
});
