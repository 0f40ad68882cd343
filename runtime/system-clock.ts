import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Random } from './clock.ts';

/** Longest delay that a Node timer takes; a longer one would fire at once. */
const maxTimerMs = 2 ** 31 - 1;

/** The only place that reads the machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    signal?.throwIfAborted();
    try {
      await sleep(Math.min(Math.max(ms, 0), maxTimerMs), undefined, signal ? { signal } : {});
    } catch (cause) {
      signal?.throwIfAborted(); // the signal's own reason, not Node's AbortError
      throw cause;
    }
  },
  timer(ms, fire) {
    const handle = setTimeout(fire, Math.min(Math.max(ms, 0), maxTimerMs)).unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** The only place that rolls dice; keys and serials come from `node:crypto`. */
export const systemRandom: Random = () => Math.random();
