import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '#runtime/clock.ts';

/** A clock that stands still until a test moves it. */
export interface FakeClock extends Clock {
  /** Goes forward by `ms`, firing what falls due on the way, in order, and letting each one's promises settle before the next. */
  advance(ms: number): Promise<void>;
  /** Moves the wall clock alone, forwards or back, as an administrator or a resumed laptop does. No timer fires. */
  jumpWall(ms: number): void;
  /** How many timers and sleeps wait: 0 says that nothing was left behind. */
  waiting(): number;
}

interface Waiting {
  readonly dueMs: number;
  readonly fire: () => void;
}

/** A clock whose wall shows `startMs`, and whose `monotonic` starts at 0. */
export function createFakeClock(startMs: number): FakeClock {
  const waiting = new Set<Waiting>(); // in the order of arrival, which decides between equal times
  let elapsedMs = 0;
  let wallAtZeroMs = startMs;

  function wait(ms: number, fire: () => void): { cancel(): void } {
    const entry = { dueMs: elapsedMs + Math.max(ms, 0), fire };
    waiting.add(entry);
    return { cancel: () => void waiting.delete(entry) };
  }

  function takeDue(untilMs: number): Waiting | undefined {
    let next: Waiting | undefined;
    for (const entry of waiting) if (entry.dueMs <= untilMs && entry.dueMs < (next?.dueMs ?? Infinity)) next = entry;
    if (next) waiting.delete(next);
    return next;
  }

  return {
    now: () => wallAtZeroMs + elapsedMs,
    monotonic: () => elapsedMs,
    timer: wait,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const abort = (): void => {
          entry.cancel();
          reject(signal?.reason);
        };
        const entry = wait(ms, () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        });
        signal?.addEventListener('abort', abort, { once: true });
      });
    },
    async advance(ms) {
      const untilMs = elapsedMs + ms;
      await nextTurn(); // whoever was about to sleep does so before time moves
      for (let due = takeDue(untilMs); due; due = takeDue(untilMs)) {
        elapsedMs = due.dueMs;
        due.fire();
        await nextTurn();
      }
      elapsedMs = untilMs;
    },
    jumpWall(ms) {
      wallAtZeroMs += ms;
    },
    waiting: () => waiting.size,
  };
}
