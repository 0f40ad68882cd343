import type { Socket } from 'node:net';

/** What tells a connection from others: Node's TLS servers name it so after the handshake too. */
interface Named {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

export interface Handshakes<S> {
  /** A connection that has yet to prove itself; the oldest such one is cut where there are too many. */
  begun(socket: Socket): void;
  /** What we show in its handshake, which begins now. */
  shows(socket: Socket, shown: S): void;
  /** The handshake over this connection is over: what was shown in it, where it is known. */
  finished(socket: Named): S | undefined;
}

export interface HandshakeCeilings {
  readonly total: number;
  /** Of one IP address. */
  readonly perAddress: number;
}

/**
 * Of each of so many workers. A burst of callers that come back at once must fit into one of them, so a worker's share
 * does not get smaller than that.
 */
export function handshakeCeilings(workers: number): HandshakeCeilings {
  return { total: Math.max(64, Math.ceil(512 / workers)), perAddress: Math.max(32, Math.ceil(256 / workers)) };
}

/**
 * Bounds connections without a verified peer: strangers may hold that many sockets and no more, whatever callers that
 * have proved themselves hold, on all listeners that share it. `S`: what we show in the handshake.
 */
export function createHandshakes<S>({ total, perAddress }: HandshakeCeilings): Handshakes<S> {
  const unfinished = new Map<string, { readonly socket: Socket; readonly address: string; shown: S | undefined }>(); // oldest first
  const counts = new Map<string, number>();
  const key = (of: Named): string => `${of.remoteAddress} ${of.remotePort} ${of.localAddress} ${of.localPort}`;
  const remove = (id: string): S | undefined => {
    const entry = unfinished.get(id);
    if (entry === undefined) return undefined;
    unfinished.delete(id);
    const left = (counts.get(entry.address) ?? 1) - 1;
    if (left === 0) counts.delete(entry.address);
    else counts.set(entry.address, left);
    return entry.shown;
  };
  const cutOldest = (isOne: (address: string) => boolean): void => {
    for (const { socket, address } of unfinished.values()) {
      if (!isOne(address)) continue;
      remove(key(socket));
      socket.destroy();
      return;
    }
  };
  return {
    begun(socket) {
      const id = key(socket);
      const address = socket.remoteAddress ?? '';
      remove(id);
      unfinished.set(id, { socket, address, shown: undefined });
      counts.set(address, (counts.get(address) ?? 0) + 1);
      socket.once('close', () => {
        if (unfinished.get(id)?.socket === socket) remove(id);
      });
      if (counts.get(address)! > perAddress) cutOldest((other) => other === address);
      else if (unfinished.size > total) cutOldest(() => true);
    },
    shows(socket, shown) {
      const entry = unfinished.get(key(socket));
      if (entry !== undefined) entry.shown = shown;
    },
    finished: (socket) => remove(key(socket)),
  };
}
