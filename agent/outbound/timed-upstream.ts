import type { HeaderField } from '#agent/http/header-field.ts';
import type { ResponseHead } from '#agent/http/head.ts';
import type { ExchangeProblem, RequestSink, ResponseSink, Upstream } from '#agent/http/message.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Clock, Timer } from '#runtime/clock.ts';

/** An upstream whose exchanges may take `timeoutMs` and no more, from their start to the last byte of their answers. */
export function timedUpstream<P>(upstream: Upstream<P>, timeoutMs: number, clock: Clock): Upstream<P> {
  return {
    start(request, response) {
      const answer = new TimedAnswer(response);
      const sending = upstream.start(request, answer);
      answer.limit(sending, clock, timeoutMs);
      return new TimedRequest(sending, answer);
    },
    close: () => upstream.close(),
  };
}

/** The caller's body, for as long as there is time. */
class TimedRequest<P> implements RequestSink {
  readonly #sending: RequestSink;
  readonly #answer: TimedAnswer<P>;

  constructor(sending: RequestSink, answer: TimedAnswer<P>) {
    this.#sending = sending;
    this.#answer = answer;
  }

  data(bytes: Buffer): boolean {
    return this.#answer.isOver || this.#sending.data(bytes);
  }
  end(trailers: readonly HeaderField[]): void {
    if (!this.#answer.isOver) this.#sending.end(trailers);
  }
  abort(): void {
    if (this.#answer.close()) this.#sending.abort();
  }
  pause(): void {
    if (!this.#answer.isOver) this.#sending.pause();
  }
  resume(): void {
    if (!this.#answer.isOver) this.#sending.resume();
  }
}

class TimedAnswer<P> implements ResponseSink<P> {
  isOver = false;
  readonly #response: ResponseSink<P>;
  #timer: Timer | undefined;

  constructor(response: ResponseSink<P>) {
    this.#response = response;
  }

  limit(sending: RequestSink, clock: Clock, timeoutMs: number): void {
    if (this.isOver) return;
    this.#timer = clock.timer(timeoutMs, () => {
      if (!this.close()) return;
      sending.abort();
      this.#response.failed('upstream-timeout');
    });
  }
  /** Whether it was open until now. */
  close(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.#timer?.cancel();
    return true;
  }

  informational(head: ResponseHead, headers: readonly HeaderField[]): void {
    if (!this.isOver) this.#response.informational(head, headers);
  }
  head(head: ResponseHead, headers: readonly HeaderField[]): void {
    if (!this.isOver) this.#response.head(head, headers);
  }
  data(bytes: Buffer): void {
    if (!this.isOver) this.#response.data(bytes);
  }
  end(trailers: readonly HeaderField[]): void {
    if (this.close()) this.#response.end(trailers);
  }
  upgraded(
    head: ResponseHead,
    headers: readonly HeaderField[],
    rest: { readonly pipe: Pipe; readonly early: Buffer },
  ): void {
    if (this.close()) this.#response.upgraded(head, headers, rest);
    else rest.pipe.cut();
  }
  failed(problem: ExchangeProblem | { readonly unreachable: P }): void {
    if (this.close()) this.#response.failed(problem);
  }
  onRequestDrain(): void {
    if (!this.isOver) this.#response.onRequestDrain();
  }
}
