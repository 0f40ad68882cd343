import { once } from 'node:events';
import { connect, createServer, Socket, type Server } from 'node:net';

/** Gets what arrived; the bytes are overwritten afterwards. */
export type OnBytes = (bytes: Buffer) => void;

/** One for all sockets of a process: each read is handled before the next one. */
const shared = Buffer.allocUnsafeSlow(256 * 1024);

/** A connection without streams' buffering: about a third of a `data` event's cost. */
export function openRaw(port: number, onBytes: OnBytes): Socket {
  return connect({ port, host: '127.0.0.1', noDelay: true, onread: onread(onBytes) });
}

export async function opened(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
}

/** Accepts connections; `accept` gets a socket to write to and says who takes what is read. */
export async function listenRaw(port: number, accept: (socket: Socket) => OnBytes): Promise<Server> {
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
    // Node offers `onread` to those who connect only; a socket around the accepted handle takes it as well.
    const { _handle: handle } = accepted as unknown as { _handle: object };
    const options = { handle, onread: onread((bytes) => take(bytes)) };
    const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
    socket.on('error', () => socket.destroy());
    const take = accept(socket);
    socket.resume();
  });
  server.listen({ port, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  return server;
}

function onread(take: OnBytes) {
  return {
    buffer: shared,
    callback(length: number, bytes: Uint8Array): boolean {
      take((bytes as Buffer).subarray(0, length));
      return true;
    },
  };
}
