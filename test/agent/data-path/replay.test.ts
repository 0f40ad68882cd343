import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { createTestDomain } from '#support/identities.ts';
import { PairWorld, send, upstreamDefaults } from '#support/pair-world.ts';

test('what a hop captured of a call is worth nothing: sent again, the app hears nothing (S54)', async () => {
  using world = new PairWorld(await createTestDomain());
  let heard = 0;
  const app = await world.httpApp((_, reply) => {
    heard += 1;
    reply.end('ok');
  });
  const { prices } = await world.pair(app);
  const captured: Buffer[] = [];
  const hop = await world.tcpApp((socket) => {
    const onward = connect(prices.inbound.address).on('error', () => undefined);
    socket.on('error', () => undefined).on('data', (bytes: Buffer) => captured.push(bytes));
    socket.pipe(onward).pipe(socket);
  });
  const endpoints = [{ host: '127.0.0.1', port: hop }];
  const spiffeId = world.domain.spiffeId('prices'); // who answers is told by its certificate, not by the hop's address (S9)
  const listen = { host: '127.0.0.1', port: 0 };
  const cart = await world.calling([
    {
      ...{ workload: 'prices', port: 7002, protocol: 'http', transport: 'tunnel' },
      ...{ listen, spiffeId, endpoints, ...upstreamDefaults },
    },
  ]);
  expect((await send(cart.upstream.port)).status).toBe(200);
  expect(heard).toBe(1);
  expect(Buffer.concat(captured).includes('GET /')).toBe(false);

  const before = prices.counters.inboundRequests;
  await new Promise<void>((resolve) => {
    const replay = connect(prices.inbound.address, () => replay.write(Buffer.concat(captured)));
    replay
      .on('error', () => undefined)
      .on('close', () => resolve())
      .resume();
  });
  expect([heard, prices.counters.inboundRequests]).toEqual([1, before]);
});
