import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createHandshakes } from '#agent/inbound/handshakes.ts';

test('strangers may hold so many sockets and no more: the oldest that has proved nothing goes (A54)', async () => {
  const handshakes = createHandshakes(3);
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    accepted.push(socket);
    handshakes.begun(socket);
    if (accepted.length === 1) handshakes.finished(socket); // the first one proves itself
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const clients: Socket[] = [];
  for (let count = 0; count < 6; count += 1) {
    const client = connect(port, '127.0.0.1').on('error', () => undefined);
    clients.push(client);
    await new Promise((resolve) => client.once('connect', resolve));
    while (accepted.length <= count) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(accepted.map((socket) => socket.destroyed)).toEqual([false, true, true, false, false, false]);
  for (const client of clients) client.destroy();
  server.close();
});
