import type { Clock } from '#runtime/clock.ts';
import type { DataPath } from './data-path.ts';

const checkMs = 50;
/** An app that is asked to stop and has not called anybody for so long has finished. */
const quietMs = 1_000;

export interface DrainParts {
  readonly clock: Clock;
  readonly dataPath: DataPath;
  /** Whether the app may have calls of its own. */
  readonly outbound: 'open' | 'none';
}

/**
 * Inbound says goodbye at once. Outbound stays up for what the app still has to finish: until nobody calls us any more
 * and the app itself has called nobody for a while; then idle connections end, and what runs may end.
 */
export async function drainAll({ clock, dataPath, outbound }: DrainParts, kill: AbortSignal): Promise<void> {
  const wait = (): Promise<void> => clock.sleep(checkMs, kill).catch(() => undefined);
  const isOpen = async (side: 'inbound' | 'outbound'): Promise<boolean> =>
    !kill.aborted && (await dataPath.report()).connections[side] > 0;
  await wait(); // what was announced last must leave before the process may
  dataPath.drain('inbound');
  while (await isOpen('inbound')) await wait();
  let seen = await callsOf(dataPath);
  let quietSinceMs = clock.monotonic();
  while (!kill.aborted && outbound === 'open' && clock.monotonic() - quietSinceMs < quietMs) {
    await wait();
    const calls = await callsOf(dataPath);
    if (calls === seen) continue;
    seen = calls;
    quietSinceMs = clock.monotonic();
  }
  dataPath.drain('outbound');
  while (await isOpen('outbound')) await wait();
}

/** Grows with every call of the app. */
async function callsOf(dataPath: DataPath): Promise<number> {
  const { counters } = await dataPath.report();
  return counters.requests + counters.streams;
}
