import type { Clock } from '#runtime/clock.ts';

/** A wait that can be cut short, also before it began: then the next one ends at once. */
export interface Pause {
  /** Resolves after `ms` or when cut; rejects with the signal's reason. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  cut(): void;
}

export function createPause(clock: Clock): Pause {
  let cutter = new AbortController();
  return {
    cut: () => cutter.abort(),
    async wait(ms, signal) {
      try {
        await clock.sleep(Math.max(0, ms), AbortSignal.any([signal, cutter.signal]));
      } catch (cause) {
        signal.throwIfAborted();
        if (!cutter.signal.aborted) throw cause;
      } finally {
        cutter = new AbortController();
      }
    },
  };
}
