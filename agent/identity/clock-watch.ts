import type { Clock } from '#runtime/clock.ts';

export interface ClockWatch {
  readonly everyMs: number;
  /** Less is drift that a time service corrects. */
  readonly toleranceMs: number;
}

export const defaultClockWatch: ClockWatch = { everyMs: 2_000, toleranceMs: 1_000 };

/**
 * Compares the wall clock with the monotonic one, which stands still while the machine sleeps and never jumps. Reports by
 * how much the wall clock moved too far: a resumed laptop, a stepped clock. Ends by throwing the signal's reason.
 */
export async function watchClock(
  clock: Clock,
  { everyMs, toleranceMs }: ClockWatch,
  onJump: (byMs: number) => void,
  signal: AbortSignal,
): Promise<never> {
  let offsetMs = clock.now() - clock.monotonic();
  for (;;) {
    await clock.sleep(everyMs, signal);
    const nextMs = clock.now() - clock.monotonic();
    const byMs = nextMs - offsetMs;
    offsetMs = nextMs;
    if (Math.abs(byMs) > toleranceMs) onJump(byMs);
  }
}
