import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Address } from '#agent/config-types.ts';
import { listen, type Listen } from '#agent/listen.ts';
import { listenBeside, listenFirst } from '#agent/workers/shared-listen.ts';

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});
const local = (port = 0): Address => ({ host: '127.0.0.1', port });

function openBy(how: Listen, address: Address): Promise<Address> {
  const server = createServer((socket) => socket.destroy());
  open.push(server);
  return how(server, address);
}

describe('several workers at the same addresses', () => {
  test('port 0 is chosen once, by the first', async () => {
    const opened: Address[] = [];
    const first = listenFirst(opened);
    const own = [await openBy(first, local()), await openBy(first, local())];
    expect(opened).toEqual(own);
    const beside = listenBeside(opened);
    expect([await openBy(beside, local()), await openBy(beside, local())]).toEqual(own);
  });

  test('a port that somebody else has is not shared with them', async () => {
    const others = await openBy(listen, local());
    await expect(openBy(listenFirst([]), others)).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
  });

  test('nor one that the workers of another agent share', async () => {
    const theirs = await openBy(listenFirst([]), local());
    const refused = openBy(listenFirst([]), theirs);
    await expect(refused).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      hint: 'another process listens there: stop it, or choose another port',
    });
  });

  test('and theirs is closed to an agent of one thread', async () => {
    const shared = await openBy(listenFirst([]), local());
    await expect(openBy(listen, shared)).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
  });

  test('a free port that the configuration names is taken', async () => {
    const wanted = await openBy(listen, local());
    await new Promise((resolve) => open.splice(0).forEach((server) => server.close(resolve)));
    expect(await openBy(listenFirst([]), wanted)).toEqual(wanted);
  });

  test('more listeners than the first worker has are a mistake of ours', () => {
    expect(() => openBy(listenBeside([]), local())).toThrow('more listeners than the first one');
  });
});
