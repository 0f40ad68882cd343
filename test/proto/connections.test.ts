import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createConnectionPool } from '#proto/connections.ts';
import { createFakeClock } from '#support/fake-clock.ts';

/** A pool of 4, two per key, whose connections are told by their address: `a:1` has the key `a`. */
function createPool() {
  const clock = createFakeClock(0);
  const pool = createConnectionPool({ total: 4, perKey: 2 }, clock);
  const sockets = new Map<string, Socket>();
  return {
    clock,
    pool,
    admit(...addresses: string[]): void {
      for (const peerAddress of addresses) {
        const socket = new Socket();
        sockets.set(peerAddress, socket);
        pool.admit(socket, { peerAddress, key: peerAddress.slice(0, 1) });
      }
    },
    close: (address: string) => sockets.get(address)?.destroy(),
    open: () => [...sockets].filter(([, socket]) => !socket.destroyed).map(([address]) => address),
  };
}

test('a full key gives way to itself, the oldest first', () => {
  const { admit, open } = createPool();
  admit('b:1', 'a:1', 'a:2', 'a:3');
  expect(open()).toEqual(['b:1', 'a:2', 'a:3']);
});

test('when all is full the key with most connections gives way', () => {
  const { admit, open } = createPool();
  admit('a:1', 'b:1', 'b:2', 'c:1', 'd:1');
  expect(open()).toEqual(['a:1', 'b:2', 'c:1', 'd:1']);
});

test('whoever waits for an answer stays, whoever was answered a moment ago goes last', async () => {
  const { clock, pool, admit, open } = createPool();
  admit('a:1', 'a:2');
  const answer = Promise.withResolvers<string>();
  const working = pool.atWork('a:1', answer.promise);
  admit('a:3');
  expect(open()).toEqual(['a:1', 'a:3']);
  answer.resolve('answer');
  expect(await working).toBe('answer');
  admit('a:4');
  expect(open()).toEqual(['a:1', 'a:4']);
  await clock.advance(200);
  admit('a:5');
  expect(open()).toEqual(['a:4', 'a:5']);
});

test('when all are at work the newcomer is cut', () => {
  const { pool, admit, open } = createPool();
  admit('a:1', 'a:2');
  for (const address of ['a:1', 'a:2']) void pool.atWork(address, new Promise(() => undefined));
  admit('a:3');
  expect(open()).toEqual(['a:1', 'a:2']);
});

test('room comes back when a connection closes or is released', async () => {
  const { pool, admit, close, open } = createPool();
  admit('a:1', 'a:2');
  close('a:1');
  await expect.poll(open).toEqual(['a:2']);
  pool.release('a:2');
  admit('a:3', 'a:4');
  expect(open()).toEqual(['a:2', 'a:3', 'a:4']);
});
