import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { createFakeClock } from '#support/fake-clock.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

describe('opaque streams', () => {
  test('TCP passes bytes both ways, and a half-close too', async () => {
    const app = await world.tcpApp((socket) => {
      const seen: Buffer[] = [];
      socket.on('data', (bytes: Buffer) => seen.push(bytes));
      socket.on('end', () => socket.end(Buffer.concat(seen)));
    });
    const { port } = await world.pair(app, { protocol: 'tcp' });
    const body = Buffer.alloc(500_000, 'x');
    const got = await new Promise<number>((resolve, reject) => {
      let total = 0;
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.end(body));
      socket.on('data', (bytes) => (total += bytes.length));
      socket.on('end', () => resolve(total));
      socket.on('error', reject);
    });
    expect(got).toBe(body.length);
  });

  test('a reset by the app is a reset at the caller, never a clean end', async () => {
    const app = await world.tcpApp((socket) => {
      socket.once('data', () => socket.resetAndDestroy());
    });
    const { port, cart } = await world.pair(app, { protocol: 'tcp' });
    const outcome = await new Promise<string>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('x'));
      socket.on('end', () => resolve('end'));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    });
    expect(outcome).toBe('ECONNRESET');
    expect(cart.counters.resets).toBe(1);
  });

  test('a WebSocket lives on through rotations of both ends (M2)', async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) =>
      socket.on('message', (message: Buffer) => socket.send(`echo ${message.toString()}`)),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    world.onEnd(() => void (sockets.close(), server.closeAllConnections(), server.close()));
    const clock = createFakeClock(Date.now());
    const appPort = (server.address() as AddressInfo).port;
    const { port, cart, prices } = await world.pair(appPort, { lifeMs: 30_000, clock });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ticker`);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', () => reject(new Error('no upgrade')));
    });
    for (let turn = 0; turn < 8; turn += 1) {
      const answer = new Promise<string>((resolve) =>
        socket.addEventListener('message', (event) => resolve(String(event.data)), { once: true }),
      );
      socket.send(String(turn));
      expect(await answer).toBe(`echo ${turn}`);
      await Promise.all([cart.rotate(), prices.rotate()]);
      await expect.poll(() => Math.min(cart.counters.reProofs, prices.counters.reProofs)).toBeGreaterThan(turn);
      await clock.advance(10_000);
    }
    expect(cart.counters.resets).toBe(0);
    socket.close();
  });

  test.each([
    ['keep', 'tunnel', 'open'],
    ['end', 'tunnel', 'cut'],
    ['end', 'mtls', 'cut'],
  ] as const)(
    'whenExpired: %s (%s): a stream is %s once its certificate has expired',
    async (whenExpired, transport, expected) => {
      const app = await world.tcpApp((socket) => void socket.on('error', () => undefined).pipe(socket));
      const clock = createFakeClock(Date.now());
      const { port } = await world.pair(app, { protocol: 'tcp', transport, whenExpired, lifeMs: 60_000, clock });
      const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('x'));
      await once(socket, 'data');
      const outcome = new Promise<string>((resolve) => {
        socket.on('error', () => undefined);
        socket.on('close', () => resolve('cut'));
        socket.on('data', () => resolve('open'));
      });
      await clock.advance(61_000);
      socket.write('y');
      expect(await outcome).toBe(expected);
      socket.destroy();
    },
  );
});
