import { h2Error } from '#agent/h2/errors.ts';
import type { H2ErrorCode, H2Session, H2Stream, H2StreamHandler } from '#agent/h2/types.ts';
import { attachedRequest } from '#agent/http/attached-request.ts';
import type { Attachment } from '#agent/http/attachment.ts';
import { EarlyBody } from '#agent/http/early-body.ts';
import type { ResponseHead } from '#agent/http/head.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import type { ExchangeProblem, Forwarded, RequestSink, ResponseSink } from '#agent/http/message.ts';
import { isGrpc } from './grpc.ts';
import { passableMetadata, passableTrailers, requestFields, withoutFraming } from './h2-fields.ts';
import { areMalformed, readResponseFields } from './h2-head.ts';
import type { H2ExchangeHost, Queued, SessionWaiter } from './session-source.ts';

type Phase =
  /** For a session or a stream. */
  | 'waiting'
  /** The request was begun, and no final head has come. */
  | 'asked'
  /** The answer's body is coming. */
  | 'answered'
  | 'over';

const maxInterim = 10;
const noTrailers: readonly HeaderField[] = [];

/** One request on a stream of its own, from the wait for a session to the answer's end. */
export class H2Exchange<P> implements H2StreamHandler, RequestSink, SessionWaiter<P>, Queued {
  readonly #host: H2ExchangeHost<P>;
  readonly #request: Forwarded;
  readonly #response: ResponseSink<P>;
  #stream: H2Stream | undefined;
  #phase: Phase = 'waiting';
  /** What the caller sent meanwhile. */
  #early: EarlyBody | undefined;
  #requestEnded = false;
  /** A byte of the body was given to a stream: the request cannot be begun anew. */
  #hasSaid = false;
  #isPaused = false;
  #mayRetry = true;
  #interim = 0;
  #waitedMs = 0;
  #isGrpc = false;
  /** Still to come of an answer that said its length; negative where it did not. */
  #left = -1;

  constructor(host: H2ExchangeHost<P>, request: Forwarded, response: ResponseSink<P>) {
    this.#host = host;
    this.#request = request;
    this.#response = response;
  }

  get attachment(): Attachment | undefined {
    return this.#request.attachment;
  }

  /** Looks for a session that takes the request now, or waits for one. */
  seek(): 'no-stream' | undefined {
    const session = this.#host.options.source.session(this);
    return session === undefined || this.#begin(session) ? undefined : 'no-stream';
  }

  onSession(session: H2Session): void {
    if (this.#phase === 'waiting') this.#begin(session);
  }

  onUnreachable(problem: P): void {
    if (this.#phase !== 'waiting') return;
    this.#phase = 'over';
    this.#response.failed({ unreachable: problem });
  }

  /** In the queue for so much longer. */
  waited(ms: number): void {
    this.#waitedMs += ms;
    const { queue, problems } = this.#host.options;
    if (this.#waitedMs < queue.maxMs) return;
    this.#host.forget(this);
    this.onUnreachable(problems.noStream);
  }

  data(bytes: Buffer): boolean {
    const stream = this.#stream;
    if (this.#phase === 'over') return true;
    if (stream === undefined) {
      (this.#early ??= new EarlyBody()).data(bytes);
      return false;
    }
    this.#hasSaid = true;
    return stream.data(bytes);
  }

  end(trailers: readonly HeaderField[]): void {
    if (this.#phase === 'over' || this.#requestEnded) return;
    this.#requestEnded = true;
    if (this.#request.head.framing.kind === 'none') return; // its head ended it
    if (this.#stream === undefined) (this.#early ??= new EarlyBody()).trailers = trailers;
    else if (trailers.length === 0) this.#stream.end();
    else {
      this.#hasSaid = true;
      this.#stream.headers(trailers, true);
    }
  }

  abort(): void {
    if (this.#phase === 'over') return;
    const wasWaiting = this.#phase === 'waiting';
    this.#phase = 'over';
    if (!wasWaiting) {
      this.#stream?.reset(h2Error.cancel);
      this.#host.freed();
      return;
    }
    this.#host.options.source.forget(this);
    this.#host.forget(this);
  }

  pause(): void {
    this.#isPaused = true;
    if (this.#phase !== 'over') this.#stream?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#phase !== 'over') this.#stream?.resume();
  }

  onHeaders(fields: readonly HeaderField[], end: boolean): void {
    if (this.#phase === 'asked') this.#readHead(fields, end);
    else if (this.#phase === 'answered') this.#readTrailers(fields);
  }

  onData(bytes: Buffer): void {
    if (this.#phase !== 'answered') {
      if (this.#phase === 'asked') this.#break({ badResponse: 'unexpected-body' });
      return;
    }
    if (this.#left >= 0) {
      this.#left -= bytes.length;
      if (this.#left < 0) return this.#break({ badResponse: 'length-mismatch' });
    }
    this.#response.data(bytes);
  }

  onEnd(): void {
    if (this.#phase === 'answered') this.#finish(noTrailers);
    else if (this.#phase === 'asked') this.#break({ badResponse: 'bad-status-line' });
  }

  onReset(code: H2ErrorCode): void {
    const phase = this.#phase;
    if (phase === 'over') return;
    const isUntouched = phase === 'asked' && this.#interim === 0;
    this.#stream = undefined;
    if (isUntouched && code === h2Error.refusedStream) return this.#refused();
    this.#phase = 'over';
    this.#response.failed(phase === 'answered' || this.#interim > 0 ? 'upstream-broken' : 'upstream-closed');
    this.#host.freed();
  }

  onDrain(): void {
    if (this.#phase !== 'over' && !this.#requestEnded) this.#response.onRequestDrain();
  }

  /** Nobody has looked at it (RFC 9113, section 8.7): it may be sent again, once, while nothing of its body is gone. */
  #refused(): void {
    if (this.#mayRetry && !this.#hasSaid) {
      this.#mayRetry = false;
      this.#phase = 'waiting';
      if (this.#requestEnded) (this.#early ??= new EarlyBody()).trailers = noTrailers;
      this.seek();
      return;
    }
    this.#phase = 'over';
    this.#response.failed({ unreachable: this.#host.options.problems.refused });
    this.#host.freed();
  }

  /** False: all the session's streams are taken. */
  #begin(session: H2Session): boolean {
    const request = this.#requestOn(session);
    if (request === undefined) {
      this.onUnreachable(this.#host.options.problems.refused);
      return true;
    }
    const isWhole = request.head.framing.kind === 'none';
    const stream = session.request(requestFields(request, this.#host.options), isWhole, this);
    if (stream === undefined) {
      if (!this.#host.wait(this)) this.onUnreachable(this.#host.options.problems.noStream);
      return false;
    }
    this.#stream = stream;
    this.#phase = 'asked';
    if (this.#isPaused) stream.pause();
    const early = this.#early;
    if (early !== undefined) this.#sendEarly(stream, early);
    return true;
  }

  /** As it goes out there. The source gave the session at this moment, so what is attached is there. */
  #requestOn(session: H2Session): Forwarded | undefined {
    const request = this.#request;
    if (request.attachment === undefined) return request;
    const thumbprint = this.#host.options.source.ownThumbprint?.(session);
    return thumbprint === undefined ? undefined : attachedRequest(request, thumbprint);
  }

  #sendEarly(stream: H2Stream, early: EarlyBody): void {
    this.#early = undefined;
    this.#hasSaid = true;
    const takesMore = early.giveTo(stream);
    if (this.#requestEnded) {
      this.#requestEnded = false;
      this.end(early.trailers);
    } else if (takesMore) this.#response.onRequestDrain();
  }

  #readHead(fields: readonly HeaderField[], end: boolean): void {
    const { head: asked, filterFields } = this.#request;
    const head = readResponseFields(fields, end ? 'with-head' : 'later', asked.method);
    if (typeof head === 'string') return this.#break({ badResponse: head });
    if (head.status === 101) return this.#break({ badResponse: 'unexpected-upgrade' });
    const headers = filterFields(withoutFraming(head.headers));
    if (head.status < 200) return this.#inform(head, headers);
    this.#phase = 'answered';
    this.#left = lengthOf(head);
    this.#isGrpc = isGrpc(head.headers);
    this.#response.head(head, headers);
    if (end && this.#phase === 'answered') this.#finish(noTrailers);
  }

  #inform(head: ResponseHead, headers: readonly HeaderField[]): void {
    this.#interim += 1;
    if (this.#interim > maxInterim) this.#break({ badResponse: 'too-many-interim' });
    else this.#response.informational(head, headers);
  }

  #readTrailers(fields: readonly HeaderField[]): void {
    if (areMalformed(fields)) return this.#break({ badResponse: 'bad-header-name' });
    const passed = this.#isGrpc ? passableMetadata(fields) : passableTrailers(fields);
    this.#finish(this.#request.filterFields(passed));
  }

  #finish(trailers: readonly HeaderField[]): void {
    if (this.#left > 0) return this.#break({ badResponse: 'length-mismatch' });
    this.#phase = 'over';
    // The answer came early: the rest of the request is not wanted.
    if (!this.#requestEnded && this.#request.head.framing.kind !== 'none') this.#stream?.reset(h2Error.cancel);
    this.#response.end(trailers);
    this.#host.freed();
  }

  /** The answer is not HTTP. */
  #break(problem: ExchangeProblem): void {
    this.#phase = 'over';
    this.#stream?.reset(h2Error.protocol);
    this.#response.failed(problem);
    this.#host.freed();
  }
}

/** How many bytes must come: 0 where there is no content, −1 where only the stream's end tells. */
function lengthOf({ framing }: ResponseHead): number {
  if (framing.kind === 'length') return framing.bytes;
  return framing.kind === 'none' ? 0 : -1;
}
