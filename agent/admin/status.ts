import type { SourceStatus } from '#agent/identity/source.ts';
import type { IdentitySnapshot } from '#agent/identity/store.ts';
import type { WorkerReport } from '#agent/data-path.ts';
import type { TokenFacts } from '#agent/tokens/token-source.ts';
import type { AgentCounters } from './metrics.ts';
import type { BlockerReport, ReadinessReport, WarningReport } from './readiness.ts';

/** What `GET /status` answers, and what `eastwest up` and `eastwest status` read. */
export interface AgentStatus {
  readonly workload: string;
  /** `null` before the first SVID, like the other facts of it. */
  readonly spiffeId: string | null;
  readonly generation: number;
  readonly rotations: number;
  readonly notAfterMs: number | null;
  readonly serialHex: string | null;
  /** The issuer's clock minus ours. */
  readonly skewMs: number;
  readonly controlPlane: SourceStatus['controlPlane'];
  readonly joinTokenUses: number;
  readonly ready: boolean;
  readonly blockers: readonly BlockerReport[];
  readonly warnings: readonly WarningReport[];
  readonly counters: Readonly<Record<CounterName, number>>;
  /** With several workers: what each of them does. */
  readonly workers: readonly WorkerReport[];
}

/** The plain numbers among the counters. */
export type CounterName = {
  [Name in keyof AgentCounters]: AgentCounters[Name] extends number ? Name : never;
}[keyof AgentCounters];

export interface AgentFacts {
  readonly workload: string;
  readonly identity: IdentitySnapshot | undefined;
  readonly source: SourceStatus;
  readonly readiness: ReadinessReport;
  readonly counters: AgentCounters;
  readonly workers: readonly WorkerReport[];
  /** Undefined where no route attaches one. */
  readonly tokens: TokenFacts | undefined;
}

export function describeStatus({ workload, identity, source, readiness, counters, workers }: AgentFacts): AgentStatus {
  const {
    requestsByPeer: _r,
    inboundRequestsByPeer: _i,
    outbound: _out,
    inbound: _in,
    gateway: _g,
    ...numbers
  } = counters;
  return {
    workload,
    spiffeId: identity?.svid.spiffeId ?? null,
    generation: identity?.generation ?? 0,
    rotations: source.rotations,
    notAfterMs: identity?.svid.notAfterMs ?? null,
    serialHex: identity?.svid.serialHex ?? null,
    skewMs: source.skewMs,
    controlPlane: source.controlPlane,
    joinTokenUses: source.joinTokenUses,
    ready: readiness.ready,
    blockers: readiness.blockers,
    warnings: readiness.warnings,
    counters: numbers,
    workers,
  };
}
