import { EarlyBody } from './early-body.ts';
import type { HeaderField } from './header-field.ts';
import type { ExchangeProblem, Forwarded, RequestSink, ResponseSink } from './message.ts';

/** How many requests may wait, and how long. */
export interface QueueLimits {
  readonly maxRequests: number;
  readonly maxMs: number;
}

/**
 * A request that waits for its way: holds what comes of its body (the caller is asked to wait at its first piece), then
 * passes it on.
 */
export class WaitingRequest<P> implements RequestSink {
  readonly request: Forwarded;
  readonly response: ResponseSink<P>;
  #sink: RequestSink | undefined;
  #early: EarlyBody | undefined;
  #hasEnded = false;
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
    const early = this.#early;
    this.#early = undefined;
    if (this.#isPaused) sink.pause();
    const takesMore = early !== undefined && early.giveTo(sink);
    if (this.#hasEnded) sink.end(early?.trailers ?? noTrailers);
    else if (takesMore) this.response.onRequestDrain();
  }

  fail(problem: ExchangeProblem | { readonly unreachable: P }): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#early = undefined;
    this.response.failed(problem);
  }

  data(bytes: Buffer): boolean {
    if (this.#sink !== undefined) return this.#sink.data(bytes);
    if (this.#isOver) return true; // nobody wants it
    (this.#early ??= new EarlyBody()).data(bytes);
    return false;
  }
  end(trailers: readonly HeaderField[]): void {
    if (this.#sink !== undefined) return this.#sink.end(trailers);
    this.#hasEnded = true;
    if (trailers.length > 0) (this.#early ??= new EarlyBody()).trailers = trailers;
  }
  abort(): void {
    if (this.#sink !== undefined) return this.#sink.abort();
    this.#isOver = true;
    this.#early = undefined;
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

const noTrailers: readonly HeaderField[] = [];
