import type { HeaderField } from '#agent/http/header-field.ts';
import type { Forwarded, RequestSink, ResponseSink } from '#agent/http/message.ts';
import type { OpenProblem } from './peer.ts';

/**
 * A request whose stream is still being opened: holds what comes of its body (the caller is asked to wait at its first
 * piece), then passes it on.
 */
export class WaitingRequest<P = OpenProblem> implements RequestSink {
  readonly request: Forwarded;
  readonly response: ResponseSink<P>;
  #sink: RequestSink | undefined;
  #held: Buffer[] = [];
  #trailers: readonly HeaderField[] | undefined;
  #isPaused = false;
  #isOver = false;

  constructor(request: Forwarded, response: ResponseSink<P>) {
    this.request = request;
    this.response = response;
  }

  /** The caller has left, or was told of a failure. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The exchange has begun at `sink`. */
  begun(sink: RequestSink): void {
    this.#sink = sink;
    const held = this.#held;
    this.#held = [];
    if (this.#isPaused) sink.pause();
    let takesMore = true;
    for (const bytes of held) takesMore = sink.data(bytes);
    if (this.#trailers !== undefined) sink.end(this.#trailers);
    else if (held.length > 0 && takesMore) this.response.onRequestDrain();
  }

  fail(problem: P): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#held = [];
    this.response.failed({ unreachable: problem });
  }

  data(bytes: Buffer): boolean {
    if (this.#sink !== undefined) return this.#sink.data(bytes);
    if (!this.#isOver) this.#held.push(Buffer.from(bytes));
    return false;
  }
  end(trailers: readonly HeaderField[]): void {
    if (this.#sink !== undefined) this.#sink.end(trailers);
    else this.#trailers = trailers;
  }
  abort(): void {
    if (this.#sink !== undefined) return this.#sink.abort();
    this.#isOver = true;
    this.#held = [];
  }
  pause(): void {
    this.#isPaused = true;
    this.#sink?.pause();
  }
  resume(): void {
    this.#isPaused = false;
    this.#sink?.resume();
  }
}
