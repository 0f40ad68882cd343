import type { Address } from '#agent/config-types.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { UpstreamLimits } from './upstream-limits.ts';

/** A workload's port as callers see it: who must answer, where, and how that is reached. */
export interface Peer {
  readonly workload: string;
  readonly spiffeId: SpiffeId;
  /** The workload's own port, named in the CONNECT authority. */
  readonly port: number;
  readonly transport: 'tunnel' | 'mtls';
  readonly endpoints: readonly Address[];
  /** Where they are not those of every peer. */
  readonly limits?: Partial<Pick<UpstreamLimits, 'tryMs' | 'maxInFlight'>>;
}

/** Why no stream to a peer could be had. Nothing was sent to it. */
export type OpenProblem =
  | 'no-identity'
  | 'own-svid-expired'
  | 'no-endpoint'
  | 'unreachable'
  | 'handshake-failed'
  | 'wrong-peer'
  | 'peer-not-verified'
  | 'refused-by-peer'
  | 'app-unreachable'
  | 'stopping'
  /** More than this agent lets be in flight to one peer. */
  | 'too-many-requests-in-flight';
