import { once } from 'node:events';
import { expect, test } from 'vitest';
import { pushReads } from '#agent/pipe/push-reads.ts';
import { connectPipes, connectSockets } from '#support/pipe-pairs.ts';
import { turns } from '#support/turns.ts';

test('sockets of both sides read into one shared buffer, on this Node', async () => {
  const { client, server } = await connectSockets();
  const seen: ArrayBufferLike[] = [];
  const how = [client, server].map((socket) => pushReads(socket, (bytes) => seen.push(bytes.buffer)));
  expect(how).toEqual(['shared-buffer', 'shared-buffer']);
  client.resume();
  server.resume();
  client.write('a');
  server.write('b');
  while (seen.length < 2) await turns(1);
  expect(seen[0]).toBe(seen[1]);
  client.destroy();
  server.destroy();
});

test('TLS sockets do so too', async () => {
  await using pair = await connectPipes('tls');
  const buffers: ArrayBufferLike[] = [];
  pair.server.reader = { ...pair.atServer, onBytes: (bytes) => buffers.push(bytes.buffer) };
  pair.client.reader = { ...pair.atClient, onBytes: (bytes) => buffers.push(bytes.buffer) };
  pair.client.resume();
  pair.server.resume();
  pair.client.writeText('a');
  pair.server.writeText('b');
  while (buffers.length < 2) await turns(1);
  expect(buffers[0]).toBe(buffers[1]);
});

test.each([
  ['bytes were read before', (socket: NodeJS.ReadWriteStream) => void socket.on('readable', () => undefined)],
  ['somebody listens already', (socket: NodeJS.ReadWriteStream) => void socket.pause().on('data', () => undefined)],
])('where %s, data events do the same', async (_case, spoil) => {
  const { client, server } = await connectSockets();
  spoil(server);
  client.write('early ');
  await turns();
  server.removeAllListeners('readable');
  let got = '';
  expect(pushReads(server, (bytes) => (got += bytes.toString()))).toBe('data-events');
  server.resume();
  client.end('and late');
  await once(server, 'end');
  expect(got).toBe('early and late');
  client.destroy();
  server.destroy();
});
