import type { Address } from '#agent/config-types.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { Result } from '#runtime/result.ts';
import type { Carrier, PeerStream, StreamOwner } from './carrier.ts';
import type { OpenProblem } from './peer.ts';
import type { PeerSession } from './peer-session.ts';

/** Where a connection leads, and who must answer there. */
export interface Target {
  readonly address: Address;
  readonly expected: SpiffeId;
}

export interface WayOrder {
  /** The workload's own port. */
  readonly port: number;
  /** For one connect attempt, handshake and first answer included. */
  readonly deadlineMs: number;
  readonly owner: StreamOwner;
}

/** How streams get to one address of a peer. */
export interface Way {
  /** Requests and streams in flight. */
  readonly load: number;
  /** How long a stream may be kept without a request when the other side does not say. */
  readonly idleMs: number;
  /** Connections that are open. */
  readonly connections: number;
  openStream(order: WayOrder): Promise<Result<PeerStream, OpenProblem>>;
  /** Our identity was replaced. */
  outdate(): void;
  /** Called from time to time: what was not used since the last call need not be renewed. */
  forgetUse(): void;
  /** No new stream; what is in flight lives on. */
  retire(): void;
  destroy(): void;
}

/** A way of HTTP/2 sessions. */
export interface SessionWay extends Way {
  readonly target: Target;
  /** A session that takes a stream at once; undefined where one must be waited for. */
  ready(): PeerSession | undefined;
  obtain(deadlineMs: number): Promise<Result<PeerSession, OpenProblem>>;
}

/** Whoever keeps streams for later requests. */
export interface Keeper {
  /** Nothing more may go out on `carrier`: end what is kept of it. */
  letGo(carrier: Carrier): void;
}
