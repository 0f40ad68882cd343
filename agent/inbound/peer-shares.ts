import { Share, type Ceiling } from '#agent/ceiling.ts';

/** What one peer may have at once, on all its connections. */
export interface PeerShare {
  readonly requests: Share;
  readonly streams: Share;
  /** One of its connections is over. */
  leave(): void;
}

/** Gives all connections of a peer the same share, for as long as it has one. */
export class PeerShares {
  readonly #requests: Ceiling;
  readonly #streams: Ceiling;
  readonly #shares = new Map<string, SharedByConnections>();

  constructor(whole: { readonly requests: Ceiling; readonly streams: Ceiling }) {
    this.#requests = whole.requests;
    this.#streams = whole.streams;
  }

  /** Of a new connection of whoever has that key, see `shareKey`. */
  of(peer: string): PeerShare {
    let share = this.#shares.get(peer);
    if (share === undefined) {
      const created = { requests: new Share(this.#requests), streams: new Share(this.#streams), connections: 0 };
      share = {
        ...created,
        leave: () => {
          if (share!.connections > 1) share!.connections -= 1;
          else this.#shares.delete(peer);
        },
      };
      this.#shares.set(peer, share);
    }
    share.connections += 1;
    return share;
  }
}

interface SharedByConnections extends PeerShare {
  connections: number;
}
