import type { Address } from '#agent/config-types.ts';
import { backoffMs } from '#runtime/backoff.ts';
import type { Clock, Random } from '#runtime/clock.ts';

export interface SetAside {
  /** The addresses in the order to try: random, those that failed lately last. */
  order(addresses: readonly Address[]): Address[];
  failed(address: Address): void;
  succeeded(address: Address): void;
}

const bounds = { baseMs: 1_000, maxMs: 30_000 };
const maxRemembered = 10_000;

/** Remembers which endpoints could not be connected to, and keeps them at the end of the line for a while. */
export function createSetAside({ clock, random }: { clock: Clock; random: Random }): SetAside {
  const failures = new Map<string, { count: number; untilMs: number }>();
  const key = (address: Address): string => `${address.host} ${address.port}`;
  return {
    order(addresses) {
      if (addresses.length < 2) return [...addresses];
      const now = clock.monotonic();
      const rank = (address: Address): number => random() + ((failures.get(key(address))?.untilMs ?? 0) > now ? 1 : 0);
      return addresses
        .map((address) => ({ address, rank: rank(address) }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ address }) => address);
    },
    failed(address) {
      if (failures.size >= maxRemembered) failures.clear(); // forgetting only costs a try
      const count = (failures.get(key(address))?.count ?? 0) + 1;
      failures.set(key(address), { count, untilMs: clock.monotonic() + backoffMs(count - 1, bounds, random()) });
    },
    succeeded(address) {
      failures.delete(key(address));
    },
  };
}
