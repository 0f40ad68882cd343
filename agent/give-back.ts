import type { Clock } from '#runtime/clock.ts';

export interface GiveBackParts {
  readonly clock: Clock;
  /** Grows with every request and stream; standing still means idle. */
  readonly activity: () => number;
  /** Collects garbage and returns free pages to the system; undefined where the runtime has no such thing. */
  readonly collect: (() => void) | undefined;
}

const afterStartMs = 2_000;
const everyMs = 10_000;

/**
 * Gives memory back when nothing happens: once after the start, whose garbage would otherwise stay until the next busy
 * time, and once after each busy time. The pause of some 10 ms meets nobody. Ends when the signal aborts.
 */
export function giveBackWhenIdle({ clock, activity, collect }: GiveBackParts, signal: AbortSignal): void {
  if (!collect) return;
  let seen = activity();
  let collectedAt = -1;
  const look = (): void => {
    if (signal.aborted) return;
    const now = activity();
    if (now === seen && now !== collectedAt) {
      collect();
      collectedAt = now;
    }
    seen = now;
    clock.timer(everyMs, look);
  };
  clock.timer(afterStartMs, look);
}
