import type { Pipe, PipeReader } from '#agent/pipe/pipe.ts';
import { unreachable } from '#runtime/result.ts';
import { AnswerReader } from './answer-reader.ts';
import { BodyWriter } from './body-writer.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { HeaderField } from './head.ts';
import type { ExchangeProblem, Forwarded, RequestSink, ResponseSink } from './message.ts';
import { isForwardedUpgrade, isRepeatable, requestText } from './request-text.ts';
import type { MessageLimits } from './service.ts';

/** Whoever keeps clients. */
export interface H1ClientOwner {
  /** It may carry another request; said before the end of the answer is. `idleMs`: as the answer's Keep-Alive said. */
  onIdle(client: H1Client, idleMs: number | undefined): void;
  /** It carries no further request: closed, broken, spoken out of turn, or upgraded. Comes once. */
  onGone(client: H1Client): void;
  /**
   * Closed before a byte of an answer came, on a connection that had carried requests before, and the request is
   * idempotent and without a body: it may be sent again. Comes after `onGone`. A sink: the exchange goes on there;
   * undefined: it fails with `upstream-closed`.
   */
  repeat(request: Forwarded, response: ResponseSink<never>): RequestSink | undefined;
}

export interface H1ClientOptions {
  readonly limits: MessageLimits;
  readonly deadlines: Deadlines;
  readonly owner: H1ClientOwner;
  /** How long it may lie idle when the other side does not say; then it is ended. Infinity: for ever. */
  readonly idleMs: number;
  /** The other side was found to speak HTTP/2; the exchange that showed it fails. */
  readonly onHttp2?: (() => void) | undefined;
}

/** An idle connection ends this much before the other side would end it. */
const idleGuardMs = 1_000;
/** How long the other side may take to end its direction. */
const endMs = 5_000;
/** An idle client remembers its last answer's head so long. */
const rememberMs = 10_000;
const maxInterim = 10;
/**
 * One pipe to somebody who answers HTTP/1.1 (RFC 9112): one exchange at a time, kept between them while it is good.
 * Makes itself the pipe's reader. Read strictly; bytes that nobody asked for end it.
 */
export class H1Client implements PipeReader, RequestSink {
  readonly #pipe: Pipe;
  readonly #options: H1ClientOptions;
  readonly #deadline: Deadline;
  readonly #reader: AnswerReader;
  readonly #body: BodyWriter;
  #state: 'idle' | 'busy' | 'ending' | 'gone' = 'idle';
  #isRetired = false;
  #exchanges = 0;
  #idleMs: number;
  // Of the current exchange:
  #request: Forwarded | undefined;
  #response: ResponseSink<never> | undefined;
  #isSent = true;
  #isHeard = false;
  #isFull = false;
  #isPaused = false;
  #interims = 0;
  /** Takes the exchange over after a repeat. */
  #heir: RequestSink | undefined;

  constructor(pipe: Pipe, options: H1ClientOptions) {
    this.#pipe = pipe;
    this.#options = options;
    this.#idleMs = options.idleMs;
    this.#reader = new AnswerReader(options.limits);
    this.#body = new BodyWriter(pipe);
    this.#deadline = options.deadlines.create(() => this.#expired());
    pipe.reader = this;
    pipe.resume();
    this.#lieIdle();
  }

  /** No exchange in flight, and the pipe is good for another one. */
  get isIdle(): boolean {
    return this.#state === 'idle' && this.#pipe.isOpen;
  }

  /** Begins an exchange; only while `isIdle`. */
  send(request: Forwarded, response: ResponseSink<never>): RequestSink {
    const { framing } = request.head;
    this.#deadline.clear();
    this.#state = 'busy';
    this.#exchanges += 1;
    this.#request = request;
    this.#response = response;
    this.#reader.begin(request);
    this.#isHeard = false;
    this.#interims = 0;
    this.#pipe.writeText(requestText(request));
    this.#isSent = framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0);
    if (!this.#isSent) this.#body.begin(framing.kind === 'length' ? framing.bytes : 'chunked');
    return this;
  }

  /** No further request: an idle one ends now, a busy one after its answer. */
  retire(): void {
    this.#isRetired = true;
    if (this.#state === 'idle') this.#leave('end');
  }

  /** Ends it now, and an exchange in flight without a word. */
  destroy(): void {
    if (this.#state !== 'gone') this.#leave(this.#state === 'idle' ? 'end' : 'cut');
  }

  data(bytes: Buffer): boolean {
    if (this.#heir) return this.#heir.data(bytes);
    if (this.#state !== 'busy' || this.#isSent) return true;
    const written = this.#body.data(bytes);
    if (written === 'too-long') this.#fail('downstream-gone');
    this.#isFull ||= written === 'wait';
    return written !== 'wait';
  }

  end(trailers: readonly HeaderField[]): void {
    if (this.#heir) return this.#heir.end(trailers);
    if (this.#state !== 'busy' || this.#isSent) return;
    this.#isSent = true;
    const allowed = trailers.length === 0 ? trailers : this.#request!.filterFields(trailers);
    if (this.#body.end(allowed) === 'too-short') this.#fail('downstream-gone');
  }

  abort(): void {
    if (this.#heir) return this.#heir.abort();
    if (this.#state === 'busy') this.#leave('cut');
  }

  pause(): void {
    if (this.#heir) return this.#heir.pause();
    if (this.#state !== 'busy') return;
    this.#isPaused = true;
    this.#pipe.pause();
  }

  resume(): void {
    if (this.#heir) return this.#heir.resume();
    if (this.#state !== 'busy' || !this.#isPaused) return;
    this.#isPaused = false;
    this.#pipe.resume();
  }

  onBytes(bytes: Buffer): void {
    if (this.#state !== 'busy') return this.#leave('cut'); // an answer to nothing
    this.#isHeard = true;
    this.#consume(bytes);
  }

  onEnd(): void {
    if (this.#state === 'idle') return this.#leave('end');
    if (this.#state !== 'busy') return;
    if (this.#reader.endsWithStream) this.#complete(this.#isSent ? 'end' : 'cut');
    else this.#broken();
  }

  onCut(): void {
    if (this.#state === 'busy') this.#broken();
    else this.#leave('cut');
  }

  onDrain(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#response?.onRequestDrain();
  }

  #consume(bytes: Buffer): void {
    const reader = this.#reader;
    const response = this.#response!;
    let step = reader.step(bytes, 0);
    while (step !== 'more') {
      switch (step) {
        case 'informational':
          this.#informed(response);
          break;
        case 'head':
          response.head(reader.head!, reader.headers);
          break;
        case 'data':
          response.data(reader.data);
          break;
        case 'done':
          return this.#complete(this.#afterwards());
        case 'refused':
          if (reader.problem === 'speaks-http2') this.#options.onHttp2?.();
          return this.#fail({ badResponse: reader.problem });
        default:
          return unreachable(step);
      }
      if (this.#state !== 'busy') return;
      step = reader.step(reader.bytes, reader.at);
    }
  }

  #informed(response: ResponseSink<never>): void {
    const { head, headers, bytes, at } = this.#reader;
    if (head!.status !== 101) {
      this.#interims += 1;
      if (this.#interims > maxInterim) return this.#fail({ badResponse: 'too-many-interim' });
      return response.informational(head!, headers);
    }
    const isWanted = isForwardedUpgrade(this.#request!.head) && head!.upgrade === 'websocket';
    if (!isWanted) return this.#fail({ badResponse: 'unexpected-upgrade' });
    const early = Buffer.from(bytes.subarray(at));
    this.#pipe.pause();
    this.#forget('gone');
    response.upgraded(head!, headers, { pipe: this.#pipe, early });
  }

  /** What becomes of the pipe after a whole answer. */
  #afterwards(): 'keep' | 'end' | 'cut' {
    const { head, excess } = this.#reader;
    if (excess > 0 || !this.#isSent) return 'cut'; // spoken out of turn, or before hearing all
    if (this.#request!.head.method === 'CONNECT') return 'cut'; // what follows is not HTTP
    return head!.keepAlive && !this.#isRetired && this.#pipe.isOpen ? 'keep' : 'end';
  }

  /** The pipe is free before the answer's end is told: the caller's next request may come from inside that call. */
  #complete(then: 'keep' | 'end' | 'cut'): void {
    const response = this.#response!;
    const { trailers } = this.#reader;
    if (then === 'keep') {
      const seconds = this.#reader.head!.keepAliveTimeoutSeconds;
      const hintMs = seconds === undefined ? undefined : seconds * 1000;
      this.#idleMs = hintMs === undefined ? this.#options.idleMs : Math.max(0, hintMs - idleGuardMs);
      this.#lieIdle();
      this.#options.owner.onIdle(this, hintMs);
    } else this.#leave(then);
    response.end(trailers);
  }

  #lieIdle(): void {
    this.#state = 'idle';
    this.#request = undefined;
    this.#response = undefined;
    this.#isFull = false;
    if (this.#isPaused) this.#pipe.resume();
    this.#isPaused = false;
    this.#deadline.set(Math.min(this.#idleMs, rememberMs));
  }

  #expired(): void {
    if (this.#state === 'idle' && this.#idleMs > rememberMs && this.#reader.remembers) {
      this.#reader.forget();
      this.#deadline.set(this.#idleMs - rememberMs);
    } else if (this.#state === 'idle' && this.#idleMs !== Infinity) this.#leave('end');
    else if (this.#state === 'ending') this.#leave('cut');
  }

  /** Closed or broken by the other side in the middle of an exchange. */
  #broken(): void {
    const request = this.#request!;
    const response = this.#response!;
    const isUnheard = !this.#isHeard;
    this.#leave('cut');
    if (isUnheard && this.#exchanges > 1 && isRepeatable(request)) {
      this.#heir = this.#options.owner.repeat(request, response);
      if (this.#heir !== undefined) return;
    }
    response.failed(isUnheard ? 'upstream-closed' : 'upstream-broken');
  }

  #fail(problem: ExchangeProblem): void {
    const response = this.#response!;
    this.#leave('cut');
    response.failed(problem);
  }

  /** `end`: our direction, and the other side gets time for its own. */
  #leave(how: 'end' | 'cut'): void {
    if (this.#state === 'gone') return;
    if (how === 'end' && this.#state !== 'ending') {
      this.#pipe.end();
      if (this.#isPaused) this.#pipe.resume();
      this.#forget('ending');
      this.#deadline.set(endMs);
    } else {
      this.#pipe.cut();
      this.#forget('gone');
    }
  }

  #forget(state: 'ending' | 'gone'): void {
    const wasKept = this.#state === 'idle' || this.#state === 'busy';
    this.#state = state;
    this.#request = undefined;
    this.#response = undefined;
    this.#reader.forget();
    if (state === 'gone') this.#deadline.dispose();
    if (wasKept) this.#options.owner.onGone(this);
  }
}
