import type { H2Session } from '#agent/h2/types.ts';
import type { Attachment } from '#agent/http/attachment.ts';
import type { Deadlines } from '#agent/http/deadlines.ts';
import type { QueueLimits } from '#agent/http/waiting-request.ts';
import type { Wording } from './h2-fields.ts';

/** Somebody who waits for a session: told once, unless forgotten before. */
export interface SessionWaiter<P> {
  /** What is to be had before a session is of use; undefined: nothing. */
  readonly attachment?: Attachment | undefined;
  onSession(session: H2Session): void;
  onUnreachable(problem: P): void;
}

/** Keeps sessions to one receiver; whose they are and when they are opened or replaced is its business. */
export interface SessionSource<P> {
  /** A session that takes streams now, or undefined: the waiter is told later, and bounded by the source in number and time. */
  session(waiter: SessionWaiter<P>): H2Session | undefined;
  /** The waiter wants none any more. */
  forget(waiter: SessionWaiter<P>): void;
  /** Of the certificate of ours on a session; sources whose requests have no attachment need not know. */
  ownThumbprint?(session: H2Session): string;
}

export interface H2UpstreamOptions<P> extends Wording {
  readonly source: SessionSource<P>;
  readonly deadlines: Deadlines;
  /** How many requests may wait for a stream where a session's are all taken, and how long. */
  readonly queue: QueueLimits;
  /** What is said of a request that found no stream in time, and of one that the receiver refused unprocessed. */
  readonly problems: { readonly noStream: P; readonly refused: P };
}

/** A request that waits for a stream. */
export interface Queued {
  /** Looks for one again. */
  seek(): 'no-stream' | undefined;
  /** For so much longer. */
  waited(ms: number): void;
}

/** Where exchanges come from. */
export interface H2ExchangeHost<P> {
  readonly options: H2UpstreamOptions<P>;
  /** No stream can be opened for it now. False: too many wait already. */
  wait(queued: Queued): boolean;
  forget(queued: Queued): void;
  /** A stream of ours is about to be gone: at the turn's end there may be room for one that waits. */
  freed(): void;
}
