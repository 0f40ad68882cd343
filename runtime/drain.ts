import type { Clock } from './clock.ts';

/** `stop`: take no new work. `kill`: end what still runs. */
export interface Phases {
  readonly stop: AbortSignal;
  readonly kill: AbortSignal;
}

/** Resolves when the signal aborts; at once when it already has. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/**
 * Runs `serve` until it returns. Once `stop` aborts, `serve` has `drainMs` to finish by itself; then `kill` aborts.
 * Faults of `serve` pass through.
 */
export async function runWithDrain(
  serve: (phases: Phases) => Promise<void>,
  { stop, drainMs, clock }: { stop: AbortSignal; drainMs: number; clock: Clock },
): Promise<'drained' | 'killed'> {
  const kill = new AbortController();
  const finished = new AbortController();
  const deadline = aborted(stop)
    .then(() => clock.sleep(drainMs, finished.signal))
    .then(
      () => kill.abort(),
      () => undefined, // the sleep was cut short: everything had finished
    );
  await serve({ stop, kill: kill.signal }).finally(() => finished.abort());
  if (stop.aborted) await deadline;
  return kill.signal.aborted ? 'killed' : 'drained';
}
