/** Time and chance as arguments. Production gets `system-clock.ts`, tests move a fake one by hand. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970. May jump. */
  now(): number;
  /** Milliseconds since some fixed moment; never jumps. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fire` once after `ms` unless cancelled. Does not keep the process alive. */
  timer(ms: number, fire: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** A number in [0, 1). */
export type Random = () => number;
