import { connect, createServer, Socket, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createHandshakes } from '#agent/inbound/handshakes.ts';

test.each([
  ['sockets', { total: 3, perAddress: 100 }],
  ['of one address', { total: 100, perAddress: 3 }],
])(
  'strangers may hold so many %s and no more: the oldest that has proved nothing goes (A54)',
  async (_name, limits) => {
    const handshakes = createHandshakes<string>(limits);
    const accepted: Socket[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      accepted.push(socket);
      handshakes.begun(socket);
      handshakes.shows(socket, `certificate ${accepted.length}`);
      if (accepted.length === 1) expect(handshakes.finished(socket)).toBe('certificate 1'); // it proves itself
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
  },
);

test('two listeners that share it keep callers apart who come from one port', () => {
  const handshakes = createHandshakes<string>({ total: 10, perAddress: 10 });
  const from = { remoteAddress: '10.0.0.7', remotePort: 40_000, localAddress: '10.0.0.8' };
  const sockets = [15_008, 7_443].map(
    (localPort) =>
      Object.defineProperties(new Socket(), Object.getOwnPropertyDescriptors({ ...from, localPort })) as Socket,
  );
  for (const [index, socket] of sockets.entries()) {
    handshakes.begun(socket);
    handshakes.shows(socket, `certificate ${index}`);
  }
  expect(sockets.map((socket) => handshakes.finished(socket))).toEqual(['certificate 0', 'certificate 1']);
});
