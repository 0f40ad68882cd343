import type { Clock } from '#runtime/clock.ts';

/** Passes a key on at once, and then at most every `ms`: what comes in between is passed on once, at the end. */
export function throttle<K>(pass: (key: K) => void, ms: number, clock: Pick<Clock, 'timer'>): (key: K) => void {
  const again = new Map<K, boolean>(); // whether it came again while it rests
  function take(key: K): void {
    if (again.has(key)) return void again.set(key, true);
    again.set(key, false);
    pass(key);
    clock.timer(ms, () => {
      const isDue = again.get(key);
      again.delete(key);
      if (isDue === true) take(key);
    });
  }
  return take;
}

/** Passes on `ms` after the first call: what comes in between is part of it. */
export function gather(pass: () => void, ms: number, clock: Pick<Clock, 'timer'>): () => void {
  let isComing = false;
  return () => {
    if (isComing) return;
    isComing = true;
    clock.timer(ms, () => {
      isComing = false;
      pass();
    });
  };
}
