import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Attachment } from './attachment.ts';
import type { BodyProblem } from './body.ts';
import type { HeaderField, HeadProblem, RequestHead, ResponseHead } from './head.ts';

/** A request that was judged, as it is to be written. */
export interface Forwarded {
  readonly head: RequestHead;
  /** Origin-form target. */
  readonly target: string;
  /** End-to-end headers, ours set; without framing and without Host where the head had none. */
  readonly headers: readonly HeaderField[];
  /** Which fields of the answer, and which trailers of both messages, may pass. */
  readonly filterFields: (fields: readonly HeaderField[]) => readonly HeaderField[];
  /**
   * Its head as HTTP/1.1 text, kept by whoever wrote it first. An admission that gives the same object for the same
   * `RequestHead` (callers repeat theirs byte for byte, and the server then repeats the object) saves the writing.
   */
  written?: string | undefined;
  /** The same as the fields of HTTP/2, in the wording (scheme, fields of ours) of who wrote them first. */
  writtenFields?: { readonly wording: object; readonly fields: readonly HeaderField[] } | undefined;
  /** What is added to it by the connection that carries it; see `attachedRequest`. */
  readonly attachment?: Attachment | undefined;
  /** With its last such field. */
  attached?: { readonly field: HeaderField; readonly request: Forwarded } | undefined;
  /** Of one with such a field: the same without it. */
  readonly bare?: Forwarded | undefined;
}

export type ExchangeProblem =
  /** Gone before the first byte of an answer. */
  | 'upstream-closed'
  /** Gone in the middle of its answer. */
  | 'upstream-broken'
  /** No byte in either direction for too long, or the whole took too long. */
  | 'upstream-timeout'
  | 'downstream-gone'
  /** The caller's body stalled. */
  | 'downstream-timeout'
  | {
      readonly badResponse:
        | HeadProblem
        | BodyProblem
        | 'protected-header-in-connection'
        /** It began with SETTINGS, where HTTP/1.1 was spoken. */
        | 'speaks-http2'
        | 'unexpected-upgrade'
        | 'too-many-interim'
        | 'length-mismatch';
    }
  /**
   * Only HTTP/2 can show both: `length-mismatch`, not as long as its Content-Length says; `unexpected-body`, content with a
   * method that has none.
   */
  | { readonly badRequestBody: BodyProblem | 'length-mismatch' | 'unexpected-body' };

/**
 * Where a request's body goes. After `end` only `pause`, `resume` and `abort` are said to it, after `abort` nothing.
 * Once the answer has ended or failed, all of them do nothing (an early answer: the rest of the body is not wanted).
 */
export interface RequestSink {
  /**
   * Body bytes, valid during the call only. False: wait for `ResponseSink.onRequestDrain`; what was read already may
   * still come, and is taken.
   */
  data(bytes: Buffer): boolean;
  /**
   * The body is whole. Said for every request that is not aborted, also for one without a body (framing `none`), which
   * `start` may already have sent as a whole. Trailers were filtered by whoever read them.
   */
  end(trailers: readonly HeaderField[]): void;
  /**
   * The caller is gone, its body broke the rules, or nobody waits for the answer any more: what was sent so far must not
   * look complete. `ResponseSink.failed` does not follow.
   */
  abort(): void;
  /** The caller reads slowly (or fast enough again): stop (or go on) sending the answer. */
  pause(): void;
  resume(): void;
}

/**
 * Where an answer goes. Any number of `informational`, then `head`, `data`…, `end`; or `upgraded`; or, at any point,
 * `failed`, and nothing after it. The first call may come before `Upstream.start` has returned.
 */
export interface ResponseSink<P> {
  informational(head: ResponseHead, headers: readonly HeaderField[]): void;
  /** `headers`: end-to-end and filtered, without framing. The body is framed as `head.framing` says. */
  head(head: ResponseHead, headers: readonly HeaderField[]): void;
  /** Body bytes, valid during the call only. Who cannot take more calls `RequestSink.pause`. */
  data(bytes: Buffer): void;
  /** The answer is whole, also one without a body. Trailers were filtered by whoever read them. */
  end(trailers: readonly HeaderField[]): void;
  /** 101 to an upgrade that was asked for: `pipe` is the upstream's bytes from here on, `early` what was read already. */
  upgraded(
    head: ResponseHead,
    headers: readonly HeaderField[],
    rest: { readonly pipe: Pipe; readonly early: Buffer },
  ): void;
  failed(problem: ExchangeProblem | { readonly unreachable: P }): void;
  /** After `RequestSink.data` answered false. */
  onRequestDrain(): void;
}

/** Somebody who answers requests: the local app, a peer's agent, a foreign server. `P`: why it could not be reached. */
export interface Upstream<P> {
  /** Begins one exchange. An HTTP/1.1 caller has one at a time, an HTTP/2 caller many. */
  start(request: Forwarded, response: ResponseSink<P>): RequestSink;
  /** The caller's connection is over: idle streams are let go, exchanges in flight were aborted by their sinks before. */
  close(): void;
}
