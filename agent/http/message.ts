import type { Pipe } from '#agent/pipe/pipe.ts';
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
}

export type ExchangeProblem =
  /** Gone before the first byte of an answer. */
  | 'upstream-closed'
  /** Gone in the middle of its answer. */
  | 'upstream-broken'
  /** No byte in either direction for too long, or the whole took too long. */
  | 'upstream-timeout'
  | 'downstream-gone'
  | {
      readonly badResponse:
        | HeadProblem
        | BodyProblem
        | 'protected-header-in-connection'
        | 'unexpected-upgrade'
        | 'too-many-interim';
    }
  | { readonly badRequestBody: BodyProblem };

/** Where a request's body goes. After `end` or `abort` nothing more is said to it. */
export interface RequestSink {
  /** Body bytes, valid during the call only. False: wait for `ResponseSink.onRequestDrain`. */
  data(bytes: Buffer): boolean;
  end(trailers: readonly HeaderField[]): void;
  /** The caller is gone or its body broke the rules: what was sent so far must not look complete. */
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
  /** Valid during the call only. False: it calls `RequestSink.pause` itself, so the answer may be ignored. */
  data(bytes: Buffer): void;
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
