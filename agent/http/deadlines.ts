import { later } from '#agent/pipe/turn.ts';
import type { Clock, Timer } from '#runtime/clock.ts';

/** One connection's current deadline. Moving it costs an assignment; it is looked at twice a second. */
export interface Deadline {
  /** Calls the expiry action once when `ms` pass without another `set` or `clear`. */
  set(ms: number): void;
  clear(): void;
  /** Forgets the deadline for good. */
  dispose(): void;
}

export interface Deadlines {
  create(onExpired: () => void): Deadline;
  /** Monotonic, of this turn of the event loop: its first caller looks at the clock, which is dear on some machines. */
  nowMs(): number;
  stop(): void;
}

const tickMs = 500;

/**
 * All deadlines of an agent on one timer: thousands of connections change theirs several times per request. They count
 * from the last look at the clock, which saves looking: half a second early or late at most.
 */
export function createDeadlines(clock: Clock): Deadlines {
  const entries = new Set<Entry>();
  let timer: Timer | undefined;
  const ticking = { atMs: clock.monotonic() };
  const turn = new TurnTime(clock);
  const tick = (): void => {
    const now = clock.monotonic();
    ticking.atMs = now;
    for (const entry of entries) entry.look(now);
    timer = entries.size > 0 ? clock.timer(tickMs, tick) : undefined;
  };
  return {
    create(onExpired) {
      if (timer === undefined) {
        ticking.atMs = clock.monotonic();
        timer = clock.timer(tickMs, tick);
      }
      return new Entry(onExpired, ticking, entries);
    },
    nowMs: () => turn.nowMs(),
    stop: () => timer?.cancel(),
  };
}

class TurnTime {
  readonly #clock: Clock;
  #nowMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    if (this.#nowMs !== undefined) return this.#nowMs;
    later(this);
    this.#nowMs = this.#clock.monotonic();
    return this.#nowMs;
  }
  /** The turn is over. */
  flush(): void {
    this.#nowMs = undefined;
  }
}

class Entry implements Deadline {
  #dueMs = Infinity;
  readonly #onExpired: () => void;
  readonly #ticking: { readonly atMs: number };
  readonly #entries: Set<Entry>;

  constructor(onExpired: () => void, ticking: { readonly atMs: number }, entries: Set<Entry>) {
    this.#onExpired = onExpired;
    this.#ticking = ticking;
    this.#entries = entries;
    entries.add(this);
  }

  set(ms: number): void {
    this.#dueMs = this.#ticking.atMs + ms;
  }
  clear(): void {
    this.#dueMs = Infinity;
  }
  dispose(): void {
    this.#dueMs = Infinity;
    this.#entries.delete(this);
  }

  look(nowMs: number): void {
    if (this.#dueMs > nowMs) return;
    this.#dueMs = Infinity;
    this.#onExpired();
  }
}
