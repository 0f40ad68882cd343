import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import type { Store } from '#control-plane/store/store.ts';
import type { Endpoint } from '#proto/messages.ts';
import type { Clock, Timer } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';

/** An endpoint outlives its agent's stream by this much: streams end with each SVID, and control planes restart. */
export const endpointGraceMs = 30_000;

/** One agent's stream; what it announced goes when it says so, or some time after it has gone. */
export interface Holder {
  readonly spiffeId: SpiffeId;
}

export interface EndpointBook {
  of(spiffeId: SpiffeId): readonly Endpoint[];
  /** Replaces what this holder announced before. Resolves when it is on disk. */
  announce(holder: Holder, endpoints: readonly Endpoint[]): Promise<void>;
  leave(holder: Holder): void;
  close(): void;
}

interface Entry {
  readonly endpoint: Endpoint;
  readonly holders: Set<Holder>;
  expiry: Timer | undefined;
}

export interface EndpointBookParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
  onChange(spiffeId: SpiffeId): void;
}

const keyOf = ({ host, port }: Endpoint): string => `${host} ${port}`;

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
    const endpoints = [...entriesOf(spiffeId).values()].map(({ endpoint }) => `${endpoint.host} port ${endpoint.port}`);
    emit({ event: 'endpoints.changed', spiffeId, endpoints });
    onChange(spiffeId);
  }

  for (const { spiffeId, host, port } of store.endpoints()) {
    const entry: Entry = { endpoint: { host, port }, holders: new Set(), expiry: undefined };
    entriesOf(spiffeId).set(keyOf(entry.endpoint), entry);
    graceFor(spiffeId, entry);
  }

  return {
    of: (spiffeId) => [...(book.get(spiffeId)?.values() ?? [])].map(({ endpoint }) => endpoint),
    async announce(holder, endpoints) {
      const { spiffeId } = holder;
      const entries = entriesOf(spiffeId);
      const wanted = new Map(endpoints.map((endpoint) => [keyOf(endpoint), endpoint]));
      const added = [...wanted.values()].filter((endpoint) => !entries.has(keyOf(endpoint)));
      const removed: Endpoint[] = [];
      for (const [key, entry] of entries) {
        if (wanted.has(key) || !entry.holders.delete(holder) || entry.holders.size > 0) continue;
        entries.delete(key);
        removed.push(entry.endpoint);
      }
      for (const [key, endpoint] of wanted) {
        const entry = entries.get(key) ?? { endpoint, holders: new Set<Holder>(), expiry: undefined };
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
