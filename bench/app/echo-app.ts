import type { Server } from 'node:net';
import { listenRaw } from '#bench/load/raw-socket.ts';

/** Gives back what it is sent. */
export function startEchoApp(port: number): Promise<Server> {
  return listenRaw(port, (socket) => {
    socket.on('end', () => socket.end());
    return (bytes) => socket.write(Buffer.from(bytes));
  });
}
