import { randomInt } from 'node:crypto';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import type { Store } from '#control-plane/store/store.ts';
import type { Endpoint } from '#proto/messages.ts';
import type { Clock, Timer } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';

/** An endpoint outlives its agent's stream by this much: streams end with each SVID, and control planes restart. */
export const endpointGraceMs = 30_000;

/** A workload has no more; whoever announces beyond that is not heard until others have gone. */
export const maxEndpointsPerIdentity = 1024;
/** One agent hears of so many of them. */
export const maxEndpointsTold = 256;

/** One agent's stream; what it announced goes when it says so, or some time after it has gone. */
export interface Holder {
  readonly spiffeId: SpiffeId;
}

export interface EndpointBook {
  of(spiffeId: SpiffeId): readonly Endpoint[];
  /** All, or 256 of them: others for each listener, for one listener (any 32-bit number) always the same. */
  told(spiffeId: SpiffeId, listener: number): readonly Endpoint[];
  /** Replaces what this holder announced before. Resolves when it is on disk. */
  announce(holder: Holder, endpoints: readonly Endpoint[]): Promise<void>;
  leave(holder: Holder): void;
  close(): void;
}

interface Entry {
  readonly endpoint: Endpoint;
  readonly holders: Set<Holder>;
  /** By chance, so that nobody can announce what all callers will be told. */
  readonly rank: number;
  expiry: Timer | undefined;
}

export interface EndpointBookParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
  onChange(spiffeId: SpiffeId): void;
}

const keyOf = ({ host, port }: Endpoint): string => `${host} ${port}`;

const createEntry = (endpoint: Endpoint): Entry => ({
  endpoint,
  holders: new Set(),
  rank: randomInt(2 ** 32),
  expiry: undefined,
});
/** Each listener sees the same endpoints in an order of its own. */
const distance = ({ rank }: Entry, listener: number): number => (rank ^ listener) >>> 0;

/** Where each workload can be reached, kept in the store: after a restart what was known is known for 30 s more. */
export function createEndpointBook({ store, clock, emit, onChange }: EndpointBookParts): EndpointBook {
  const book = new Map<SpiffeId, Map<string, Entry>>();

  function entriesOf(spiffeId: SpiffeId): Map<string, Entry> {
    let entries = book.get(spiffeId);
    if (entries === undefined) book.set(spiffeId, (entries = new Map()));
    return entries;
  }

  function graceFor(spiffeId: SpiffeId, entry: Entry): void {
    entry.expiry = clock.timer(endpointGraceMs, () => {
      entriesOf(spiffeId).delete(keyOf(entry.endpoint));
      changed(spiffeId);
      store
        .write((writer) => writer.removeEndpoint({ spiffeId, ...entry.endpoint }))
        .catch((error: unknown) => emit({ event: 'request.failed', error }));
    });
  }

  function changed(spiffeId: SpiffeId): void {
    emit({ event: 'endpoints.changed', spiffeId, endpoints: entriesOf(spiffeId).size });
    onChange(spiffeId);
  }

  /** What is known already, and of what is new as much as there is room for. */
  function accept(spiffeId: SpiffeId, endpoints: readonly Endpoint[], room: number): ReadonlyMap<string, Endpoint> {
    const entries = entriesOf(spiffeId);
    const wanted = new Map(endpoints.map((endpoint) => [keyOf(endpoint), endpoint]));
    const refused = [...wanted.keys()].filter((key) => !entries.has(key)).slice(Math.max(room, 0));
    for (const key of refused) wanted.delete(key);
    if (refused.length > 0) {
      emit({ event: 'endpoints.refused', spiffeId, endpoints: entries.size, refused: refused.length });
    }
    return wanted;
  }

  for (const { spiffeId, host, port } of store.endpoints()) {
    const entry = createEntry({ host, port });
    entriesOf(spiffeId).set(keyOf(entry.endpoint), entry);
    graceFor(spiffeId, entry);
  }

  return {
    of: (spiffeId) => [...(book.get(spiffeId)?.values() ?? [])].map(({ endpoint }) => endpoint),
    told(spiffeId, listener) {
      const entries = [...(book.get(spiffeId)?.values() ?? [])];
      if (entries.length <= maxEndpointsTold) return entries.map(({ endpoint }) => endpoint);
      const nearest = entries.toSorted((a, b) => distance(a, listener) - distance(b, listener));
      return nearest.slice(0, maxEndpointsTold).map(({ endpoint }) => endpoint);
    },
    async announce(holder, endpoints) {
      const { spiffeId } = holder;
      const entries = entriesOf(spiffeId);
      const asked = new Set(endpoints.map(keyOf));
      const removed: Endpoint[] = [];
      for (const [key, entry] of entries) {
        if (asked.has(key) || !entry.holders.delete(holder) || entry.holders.size > 0) continue;
        entries.delete(key);
        removed.push(entry.endpoint);
      }
      const wanted = accept(spiffeId, endpoints, maxEndpointsPerIdentity - entries.size);
      const added = [...wanted.values()].filter((endpoint) => !entries.has(keyOf(endpoint)));
      for (const [key, endpoint] of wanted) {
        const entry = entries.get(key) ?? createEntry(endpoint);
        entry.expiry?.cancel();
        entry.expiry = undefined;
        entry.holders.add(holder);
        entries.set(key, entry);
      }
      if (added.length === 0 && removed.length === 0) return;
      await store.write((writer) => {
        for (const endpoint of added) writer.addEndpoint({ spiffeId, ...endpoint });
        for (const endpoint of removed) writer.removeEndpoint({ spiffeId, ...endpoint });
      });
      changed(spiffeId);
    },
    leave(holder) {
      for (const entry of entriesOf(holder.spiffeId).values()) {
        if (entry.holders.delete(holder) && entry.holders.size === 0) graceFor(holder.spiffeId, entry);
      }
    },
    close() {
      for (const entries of book.values()) for (const entry of entries.values()) entry.expiry?.cancel();
    },
  };
}
