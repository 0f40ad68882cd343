import type { Pipe } from '#agent/pipe/pipe.ts';

/** A connection to a peer by certificates of both ends that have a limited time to live. */
export interface Carrier {
  /** A further request may go out on it: its certificates hold by the clock. */
  readonly isUsable: boolean;
  /** None may any more. Costs less to ask, but does not see a clock that was set. */
  readonly isRetired: boolean;
  /** Streams on it that are kept for later requests; counted by whoever keeps them. */
  keptStreams: number;
  /** So many streams are to be ended rather than kept: there is more room for them elsewhere. Counted down by the keeper. */
  excess: number;
}

/** One byte stream to the peer's app. */
export interface PeerStream {
  readonly pipe: Pipe;
  readonly carrier: Carrier;
}

/** Told when a stream that was opened for it is over. */
export interface StreamOwner {
  onStreamOver(): void;
}
