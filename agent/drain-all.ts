import type { Clock } from '#runtime/clock.ts';
import type { InboundListener } from './inbound/listener.ts';
import type { OutboundListener } from './outbound/listener.ts';
import type { PeerPool } from './tunnel/peer-pool.ts';

const checkMs = 50;
/** An app that is asked to stop and has not called anybody for so long has finished. */
const quietMs = 1_000;

export interface OpenParts {
  readonly clock: Clock;
  readonly inbound: InboundListener | undefined;
  readonly outbound: OutboundListener | undefined;
  readonly pool: PeerPool;
  /** Grows with every call of the app. */
  readonly calls: () => number;
}

/**
 * Inbound says goodbye at once. Outbound stays up for what the app still has to finish: until nobody calls us any more
 * and the app itself has called nobody for a while; then idle connections end, and what runs may end.
 */
export async function drainAll({ clock, inbound, outbound, pool, calls }: OpenParts, kill: AbortSignal): Promise<void> {
  const wait = (): Promise<void> => clock.sleep(checkMs, kill).catch(() => undefined);
  await wait(); // what was announced last must leave before the process may
  inbound?.drain();
  while (!kill.aborted && inbound && inbound.connections > 0) await wait();
  let seen = calls();
  let quietSinceMs = clock.monotonic();
  while (!kill.aborted && outbound && clock.monotonic() - quietSinceMs < quietMs) {
    await wait();
    if (calls() === seen) continue;
    seen = calls();
    quietSinceMs = clock.monotonic();
  }
  outbound?.drain();
  while (!kill.aborted && outbound && outbound.connections > 0) await wait();
  pool.retireAll();
  inbound?.destroy();
  outbound?.destroy();
}
