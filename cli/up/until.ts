import type { Clock } from '#runtime/clock.ts';

const pollMs = 50;

/** Asks `isSo` again and again. False when it was not so by the deadline; throws the signal's reason when it aborts. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  { deadlineMs, clock, signal }: { deadlineMs: number; clock: Clock; signal: AbortSignal },
): Promise<boolean> {
  const deadline = clock.monotonic() + deadlineMs;
  for (;;) {
    signal.throwIfAborted();
    if (await isSo()) return true;
    if (clock.monotonic() >= deadline) return false;
    await clock.sleep(pollMs, signal);
  }
}
