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
  stop(): void;
}

const tickMs = 500;

/** All deadlines of an agent on one timer: thousands of connections change theirs several times per request. */
export function createDeadlines(clock: Clock): Deadlines {
  const entries = new Set<{ dueMs: number; onExpired: () => void }>();
  let timer: Timer | undefined;
  const tick = (): void => {
    const now = clock.monotonic();
    for (const entry of entries) {
      if (entry.dueMs > now) continue;
      entry.dueMs = Infinity;
      entry.onExpired();
    }
    timer = entries.size > 0 ? clock.timer(tickMs, tick) : undefined;
  };
  return {
    create(onExpired) {
      const entry = { dueMs: Infinity, onExpired };
      entries.add(entry);
      timer ??= clock.timer(tickMs, tick);
      return {
        set: (ms) => {
          entry.dueMs = clock.monotonic() + ms;
        },
        clear: () => {
          entry.dueMs = Infinity;
        },
        dispose: () => entries.delete(entry),
      };
    },
    stop: () => timer?.cancel(),
  };
}
