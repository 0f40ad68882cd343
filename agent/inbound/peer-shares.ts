import { Ceiling, Share } from '#agent/ceiling.ts';
import { shareKey, type InboundPeer } from './inbound-peer.ts';

/** What one peer may have at once, on all its connections. */
export interface PeerShare {
  readonly requests: Share;
  readonly streams: Share;
  /** One of its connections is over. */
  leave(): void;
}

interface Ceilings {
  readonly requests: Ceiling;
  readonly streams: Ceiling;
}

/**
 * Gives all connections of a peer the same share, for as long as it has one. Plaintext callers have half of it all together:
 * whoever has many addresses has many shares, and must leave room to those who prove who they are.
 */
export class PeerShares {
  readonly #all: Ceilings;
  readonly #inClear: Ceilings;
  readonly #shares = new Map<string, SharedByConnections>();

  constructor(all: Ceilings) {
    this.#all = all;
    this.#inClear = { requests: halfOf(all.requests), streams: halfOf(all.streams) };
  }

  /** Of a new connection of that peer. */
  of(peer: InboundPeer): PeerShare {
    const key = shareKey(peer);
    let share = this.#shares.get(key);
    if (share === undefined) {
      const { requests, streams } = peer.spiffeId === undefined ? this.#inClear : this.#all;
      const created = { requests: new Share(requests), streams: new Share(streams), connections: 0 };
      share = {
        ...created,
        leave: () => {
          if (share!.connections > 1) share!.connections -= 1;
          else this.#shares.delete(key);
        },
      };
      this.#shares.set(key, share);
    }
    share.connections += 1;
    return share;
  }
}

function halfOf(whole: Ceiling): Ceiling {
  return new Ceiling(Math.ceil(whole.max / 2), whole);
}

interface SharedByConnections extends PeerShare {
  connections: number;
}
