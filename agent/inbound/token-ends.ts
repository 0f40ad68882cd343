import type { Clock, Timer } from '#runtime/clock.ts';

/**
 * When tokens that running requests came with end. Calls `onEnd` at each such moment, rounded up to a whole second, so that
 * there are no more of them than a token may live seconds.
 */
export class TokenEnds {
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  /** Milliseconds since 1970. */
  readonly #ends = new Set<number>();
  #timer: Timer | undefined;
  #nextMs = Infinity;

  constructor(clock: Clock, onEnd: () => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  add(endMs: number): void {
    const atMs = Math.ceil(endMs / 1_000) * 1_000;
    this.#ends.add(atMs);
    if (atMs < this.#nextMs) this.#wait(atMs);
  }

  #wait(atMs: number): void {
    this.#timer?.cancel();
    this.#nextMs = atMs;
    this.#timer = this.#clock.timer(atMs - this.#clock.now(), () => this.#ended());
  }

  #ended(): void {
    const nowMs = this.#clock.now();
    let isOver = false;
    let next = Infinity;
    for (const end of this.#ends) {
      if (end > nowMs) next = Math.min(next, end);
      else isOver = this.#ends.delete(end);
    }
    this.#nextMs = Infinity;
    if (next < Infinity) this.#wait(next);
    if (isOver) this.#onEnd();
  }
}
