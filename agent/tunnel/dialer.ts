import type { Address } from '#agent/config-types.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { Result } from '#runtime/result.ts';
import type { OpenProblem } from './peer.ts';
import type { PipeOwner } from './stream-pipe.ts';

/** Where a connection leads, and who must answer there. */
export interface Target {
  readonly address: Address;
  readonly expected: SpiffeId;
}

/** A connection to a peer by certificates of both ends that have a limited time to live. */
export interface PeerConnection {
  /** Of the certificate of ours that its peer has been shown last (`X509Svid.thumbprint`). */
  readonly ownThumbprint: string;
  /** A further request may go out on it: its certificates hold by the clock. */
  readonly isUsable: boolean;
  /** None may any more. Costs less to ask, but does not see a clock that was set. */
  readonly isRetired: boolean;
  /** Streams on it that are kept for later requests; counted by whoever keeps them. */
  keptStreams: number;
  /** So many streams are to be ended rather than kept: there is more room for them elsewhere. Counted down by the keeper. */
  excess: number;
}

/** Told that nothing more may go out on `connection`: what is kept of it is to be ended. Comes once for each. */
export type OnRetired = (connection: PeerConnection) => void;

/** One byte stream to the peer's app. */
export interface PeerStream {
  readonly pipe: Pipe;
  readonly connection: PeerConnection;
}

export interface DialOrder {
  /** The workload's own port. */
  readonly port: number;
  /** For one connect attempt, handshake and first answer included. */
  readonly deadlineMs: number;
  readonly owner: PipeOwner;
}

/** Opens streams to one address of a peer, and has the connections that carry them. */
export interface Dialer {
  /** Requests and streams in flight. */
  readonly load: number;
  /** How long a stream may be kept without a request when the other side does not say. */
  readonly idleMs: number;
  /** Connections that are open. */
  readonly connections: number;
  openStream(order: DialOrder): Promise<Result<PeerStream, OpenProblem>>;
  /** Our identity was replaced. */
  outdate(): void;
  /** Called from time to time: what was not used since the last call need not be renewed. */
  forgetUse(): void;
  /** No new stream; what is in flight lives on. */
  retire(): void;
  destroy(): void;
}
