import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ask, http2Client } from '#support/h2-apps.ts';
import { send, upstreamDefaults } from '#support/pair-world.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

/** A wire between two agents that can be held. */
async function startWire(to: { readonly port: number }) {
  const open: Socket[] = [];
  const server = createServer((caller) => {
    const callee = connect(to.port, '127.0.0.1');
    open.push(caller, callee);
    for (const [one, other] of [
      [caller, callee],
      [callee, caller],
    ] as const) {
      one.on('error', () => undefined);
      one.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  world.onEnd(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: { host: '127.0.0.1', port },
    hold: () => open.forEach((socket) => socket.pause()),
    goOn: () => open.forEach((socket) => socket.resume()),
  };
}

test('a wire that takes nothing while many large heads come: others wait, and all are answered after it (A54)', async () => {
  const app = await world.httpApp((_, reply) => reply.end('ok'));
  const { prices } = await world.pair(app, { protocol: 'http' });
  const wire = await startWire(prices.inbound.address);
  const cart = await world.calling([
    {
      ...{ workload: 'prices', port: 7002, protocol: 'http', transport: 'tunnel', ...upstreamDefaults },
      connectTimeoutMs: 15_000, // what is shown is no deadline
      ...{ spiffeId: world.domain.spiffeId('prices'), endpoints: [wire.endpoint] },
      listen: { host: '127.0.0.1', port: 0 },
    },
  ]);
  const { port } = cart.upstream;
  await send(port);
  wire.hold();
  const session = http2Client(port);
  world.onEnd(() => session.destroy());
  const get = () => ({ ':path': '/', cookie: randomBytes(9_000).toString('base64') });
  const many = Array.from({ length: 900 }, () => ask(session, get()));
  await sleep(600);
  const others = Array.from({ length: 3 }, () => send(port));
  await sleep(200); // an agent that asks itself over and over never comes back from here
  wire.goOn();
  for (const { status } of await Promise.all(others)) expect(status).toBe(200);
  for (const { headers } of await Promise.all(many)) expect(headers[':status']).toBe(200);
}, 30_000);
