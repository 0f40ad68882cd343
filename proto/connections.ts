import type { Socket } from 'node:net';
import type { Clock } from '#runtime/clock.ts';

/** How many connections there may be, and how many of them with one key: an address, or a verified SPIFFE ID. */
export interface ConnectionLimit {
  readonly total: number;
  readonly perKey: number;
}

/** Who a connection is told from the others by, and whom it counts for. */
export interface ConnectionName {
  /** `192.0.2.1:40000` */
  readonly peerAddress: string;
  readonly key: string;
}

export interface ConnectionPool {
  /** Takes a connection in until it closes. When there is no room the oldest that is not at work gives way. */
  admit(socket: Socket, name: ConnectionName): void;
  /** The connection belongs elsewhere from now on. */
  release(peerAddress: string): void;
  /** A whole request of this connection is being answered until `work` settles. */
  atWork<T>(peerAddress: string, work: Promise<T>): Promise<T>;
}

interface Entry extends ConnectionName {
  readonly socket: Socket;
  atWork: number;
  answeredAtMs: number;
}

/** An answer is on its way for this long: cutting its connection would lose it, and with it a join token that is spent. */
const onItsWayMs = 200;

/**
 * Connections within a limit. A full key gives way to itself; when all is full, the key that has most connections gives
 * way: whoever floods displaces itself first. A connection whose request is being answered stays, and when all are such
 * the newcomer is cut.
 */
export function createConnectionPool(limit: ConnectionLimit, clock: Pick<Clock, 'monotonic'>): ConnectionPool {
  const entries = new Map<string, Entry>();
  const groups = new Map<string, Set<Entry>>(); // by key, each in the order of arrival

  function remove(entry: Entry): void {
    if (entries.get(entry.peerAddress) === entry) entries.delete(entry.peerAddress);
    const group = groups.get(entry.key);
    group?.delete(entry);
    if (group?.size === 0) groups.delete(entry.key);
  }

  function largestGroup(): ReadonlySet<Entry> {
    let largest: ReadonlySet<Entry> = new Set();
    for (const group of groups.values()) if (group.size > largest.size) largest = group;
    return largest;
  }

  /** Whoever has not asked goes first, then whoever was answered a moment ago; whoever waits for an answer never. */
  function oldestOf(group: ReadonlySet<Entry>): Entry | undefined {
    const settledMs = clock.monotonic() - onItsWayMs;
    let answered: Entry | undefined;
    for (const entry of group) {
      if (entry.atWork > 0) continue;
      if (entry.answeredAtMs <= settledMs) return entry;
      answered ??= entry;
    }
    return answered;
  }

  /** The group that has to give one up before another connection of this key comes in. */
  function overfull(key: string): ReadonlySet<Entry> | undefined {
    const own = groups.get(key);
    if (own !== undefined && own.size >= limit.perKey) return own;
    return entries.size >= limit.total ? largestGroup() : undefined;
  }

  return {
    admit(socket, name) {
      const full = overfull(name.key);
      if (full !== undefined) {
        const oldest = oldestOf(full);
        if (oldest === undefined) return void socket.destroy();
        remove(oldest);
        oldest.socket.destroy();
      }
      const entry: Entry = { ...name, socket, atWork: 0, answeredAtMs: -Infinity };
      entries.set(name.peerAddress, entry);
      const group = groups.get(name.key) ?? new Set();
      groups.set(name.key, group.add(entry));
      socket.once('close', () => remove(entry));
    },
    release(peerAddress) {
      const entry = entries.get(peerAddress);
      if (entry !== undefined) remove(entry);
    },
    async atWork(peerAddress, work) {
      const entry = entries.get(peerAddress);
      if (entry === undefined) return work;
      entry.atWork += 1;
      try {
        return await work;
      } finally {
        entry.atWork -= 1;
        entry.answeredAtMs = clock.monotonic();
      }
    },
  };
}
