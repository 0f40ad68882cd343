import type { Socket } from 'node:net';

export interface Handshakes {
  /** A connection that has yet to prove itself; the oldest such one is cut where there are too many. */
  begun(socket: Socket): void;
  /** The handshake over this connection (`remoteAddress`, `remotePort`) is over. */
  finished(socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined }): void;
}

/**
 * Bounds connections without a verified peer: strangers may hold that many sockets and no more, whatever callers that
 * have proved themselves hold.
 */
export function createHandshakes(maxUnfinished: number): Handshakes {
  const unfinished = new Map<string, Socket>(); // oldest first
  const key = (socket: { remoteAddress?: string | undefined; remotePort?: number | undefined }): string =>
    `${socket.remoteAddress} ${socket.remotePort}`;
  return {
    begun(socket) {
      const id = key(socket);
      unfinished.set(id, socket);
      socket.once('close', () => {
        if (unfinished.get(id) === socket) unfinished.delete(id);
      });
      if (unfinished.size <= maxUnfinished) return;
      const [oldest] = unfinished.values();
      oldest?.destroy();
    },
    finished: (socket) => void unfinished.delete(key(socket)),
  };
}
