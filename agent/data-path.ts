import type { AgentCounters } from './admin/metrics.ts';
import type { Address } from './config-types.ts';
import type { KnownWorkload } from './outbound/destination.ts';
import type { LedgerReport } from './plaintext/ledger-report.ts';
import type { PolicyOutcome, PushedPolicies } from './policy/policy-compiler.ts';
import type { TrustedKeys } from './tokens/issuer-keys.ts';
import type { ToldDecision } from './policy/told-decision.ts';

/** `outbound`: what the app calls. `inbound`: what peers call. */
export type Side = 'outbound' | 'inbound';

export interface OpenListener {
  /** As `listener.open` tells it: `inbound`, `upstream prices:7002`, `http-proxy`, … */
  readonly purpose: string;
  readonly address: Address;
}

/** What one worker does. */
export interface WorkerReport {
  /** Counts from 1. */
  readonly worker: number;
  /** `silent`: it did not answer in time, and its numbers are those that it told last. */
  readonly state: 'answers' | 'silent';
  readonly requests: number;
  readonly streams: number;
  readonly inboundRequests: number;
  readonly connections: Readonly<Record<Side, number>>;
}

export interface DataReport {
  /** To be read. */
  readonly counters: AgentCounters;
  /** Open now, by who opened them. */
  readonly connections: Readonly<Record<Side, number>>;
  /** Empty where there is one thread. */
  readonly workers: readonly WorkerReport[];
}

/**
 * The data part of an agent as its control part sees it: everything that touches the app's and the peers' bytes, in this
 * thread or in several. It follows the identity store that it was made with.
 */
export interface DataPath {
  /** Resolves when all who will serve that side listen. `inbound` needs an identity. Faults: LISTEN_FAILED. */
  open(side: Side): Promise<readonly OpenListener[]>;
  /** Where upstreams are and who they are, as far as the control plane says. */
  useWorkloads(workloads: readonly KnownWorkload[]): void;
  /** Who may call, as far as the control plane says. */
  usePolicies(pushed: PushedPolicies): PolicyOutcome;
  /** By which keys access tokens are verified: full state. */
  useTokenKeys(keys: TrustedKeys): void;
  /** Why a call was refused; undefined: nobody knows (any more). */
  decision(id: string): Promise<ToldDecision | undefined>;
  /** Who called the ports with a listener of their own in plaintext since this run began. */
  plaintextCallers(): Promise<LedgerReport>;
  /** Never waits for longer than a moment. */
  report(): Promise<DataReport>;
  /** That side accepts nothing new: idle connections end, the others after what they do. */
  drain(side: Side): void;
  /** Ends what still runs. */
  end(): Promise<void>;
  /** Rejects when the data part cannot go on. */
  readonly failed: Promise<never>;
}
