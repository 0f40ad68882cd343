import { later } from '#agent/pipe/turn.ts';

/** A session with bytes that wait: unread in paused streams, or for windows that its peer keeps shut. */
export interface Holder {
  readonly heldBytes: number;
  /** Breaks off the stream that holds most; the bytes that it held. */
  relieveFullest(): number;
}

/** Of all sessions of this event loop together. Eight of them at their own ceiling; a peer may open thousands. */
const maxHeldBytes = 512 * 1024 * 1024;
/** All are counted each time they have grown by so much together. */
const countEveryBytes = 4 * 1024 * 1024;

/**
 * The ceiling over what all sessions hold, however many one peer opens: beyond it the fullest stream of whoever holds
 * most goes, so that it meets the one who fills memory and nobody who holds little.
 */
export class HeldMemory {
  readonly #maxBytes: number;
  readonly #holders = new Set<Holder>();
  #grown = 0;
  #isCounting = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** It holds so many bytes more than when it last said so. */
  grew(holder: Holder, bytes: number): void {
    this.#holders.add(holder);
    this.#grown += bytes;
    if (this.#grown < Math.min(countEveryBytes, this.#maxBytes) || this.#isCounting) return;
    this.#isCounting = true;
    later({ flush: () => this.#count() }); // not at once: the owners of streams are at work
  }

  #count(): void {
    this.#isCounting = false;
    this.#grown = 0;
    let total = 0;
    for (const holder of this.#holders) {
      const { heldBytes } = holder;
      if (heldBytes === 0) this.#holders.delete(holder);
      total += heldBytes;
    }
    while (total > this.#maxBytes) {
      const freed = this.#fullest?.relieveFullest() ?? 0;
      if (freed === 0) return;
      total -= freed;
    }
  }

  get #fullest(): Holder | undefined {
    let fullest: Holder | undefined;
    for (const holder of this.#holders) if (holder.heldBytes > (fullest?.heldBytes ?? 0)) fullest = holder;
    return fullest;
  }
}

export const heldMemory = new HeldMemory(maxHeldBytes);
