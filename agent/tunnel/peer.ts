import type { Address } from '#agent/config-types.ts';
import type { AttachProblem } from '#agent/http/attachment.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';

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
  | AttachProblem
  | 'no-identity'
  | 'own-svid-expired'
  | 'no-endpoint'
  | 'unreachable'
  | 'handshake-failed'
  | 'wrong-peer'
  | 'peer-not-verified'
  | 'refused-by-peer'
  | 'no-such-port'
  | 'app-unreachable'
  | 'stopping'
  /** More than this agent lets be in flight to one peer. */
  | 'too-many-requests-in-flight';

/** Ceilings and deadlines towards one port of a peer. */
export interface UpstreamLimits {
  /** For one connect attempt, handshake and first answer included. */
  readonly tryMs: number;
  /** For all attempts of one stream. */
  readonly overallMs: number;
  /** Requests and opaque streams that run or wait. */
  readonly maxInFlight: number;
  /** Of these, those that wait for a stream. */
  readonly maxPending: number;
  /** How long a stream without a request is kept; shorter than the peer's agent waits for a next request. */
  readonly keepMs: number;
}

export const defaultUpstreamLimits: UpstreamLimits = {
  tryMs: 3_000,
  overallMs: 10_000,
  maxInFlight: 20_000,
  maxPending: 4_096,
  keepMs: 60_000,
};
