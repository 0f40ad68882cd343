import type { Address, UpstreamConfig } from '#agent/config-types.ts';
import type { Peer } from '#agent/tunnel/peer.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

/** What the control plane said of a workload. */
export interface KnownWorkload {
  readonly name: string;
  readonly spiffeId: SpiffeId;
  readonly endpoints: readonly Address[];
}

/** `unknown-destination`: not among the configured upstreams. `not-known-yet`: the control plane has not told. */
export type DestinationProblem = 'unknown-destination' | 'not-known-yet';

export interface Destinations {
  /** Changes with every `update`. */
  readonly version: number;
  /** Who must answer at an upstream, and where, as known at this moment. */
  resolve(upstream: UpstreamConfig): Result<Peer, DestinationProblem>;
  /** The upstream that an app means by `host:port`, e.g. `prices:7002`; without a port the workload's only one. */
  find(host: string, port: number | undefined): UpstreamConfig | undefined;
  /** Replaces what the control plane said; the last good endpoints of a workload stay while it names none. */
  update(workloads: readonly KnownWorkload[]): void;
  /** Called after each update. */
  onUpdate(listener: () => void): void;
}

export function createDestinations(upstreams: readonly UpstreamConfig[]): Destinations {
  const known = new Map<string, KnownWorkload>();
  const byName = Map.groupBy(upstreams, ({ workload }) => workload);
  const listeners: (() => void)[] = [];
  let version = 0;
  return {
    get version() {
      return version;
    },
    resolve(upstream) {
      const { workload, port, transport } = upstream;
      const told = known.get(workload);
      const spiffeId = upstream.spiffeId ?? told?.spiffeId;
      const endpoints = upstream.endpoints ?? told?.endpoints ?? [];
      if (spiffeId === undefined) return refuse('not-known-yet');
      const limits = { tryMs: upstream.connectTimeoutMs, maxInFlight: upstream.maxRequests };
      return ok({ workload, spiffeId, port, transport, endpoints, limits });
    },
    find(host, port) {
      const named = byName.get(host.toLowerCase()) ?? [];
      const onPort = named.find((upstream) => upstream.port === port);
      if (onPort !== undefined) return onPort;
      return named.length === 1 && (port === undefined || port === 80) ? named[0] : undefined;
    },
    update(workloads) {
      version += 1;
      for (const workload of workloads) {
        const before = known.get(workload.name);
        const endpoints = workload.endpoints.length > 0 ? workload.endpoints : (before?.endpoints ?? []);
        known.set(workload.name, { ...workload, endpoints });
      }
      for (const listener of listeners) listener();
    },
    onUpdate: (listener) => void listeners.push(listener),
  };
}
