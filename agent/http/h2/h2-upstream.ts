import { later, type Flushable } from '#agent/pipe/turn.ts';
import type { Deadline } from '#agent/http/deadlines.ts';
import type { Forwarded, RequestSink, ResponseSink, Upstream } from '#agent/http/message.ts';
import { H2Exchange } from './h2-exchange.ts';
import type { H2ExchangeHost, H2UpstreamOptions, Queued } from './session-source.ts';

export type { SessionSource, SessionWaiter } from './session-source.ts';

/**
 * Answers requests over sessions of HTTP/2 to one receiver. One serves many callers at once: closing it for one of them
 * does nothing.
 */
export function createH2Upstream<P>(options: H2UpstreamOptions<P>): Upstream<P> {
  return new H2Upstream(options);
}

/** How often the queue is looked at when no exchange of ours ends meanwhile. */
const tickMs = 500;

class H2Upstream<P> implements Upstream<P>, H2ExchangeHost<P>, Flushable {
  readonly options: H2UpstreamOptions<P>;
  /** Waiting for a stream, the oldest first. */
  readonly #queue: Queued[] = [];
  #deadline: Deadline | undefined;
  #isServing = false;
  /** In the queue of those who work at the turn's end. */
  #isFlushed = false;

  constructor(options: H2UpstreamOptions<P>) {
    this.options = options;
  }

  start(request: Forwarded, response: ResponseSink<P>): RequestSink {
    const exchange = new H2Exchange(this, request, response);
    exchange.seek();
    return exchange;
  }

  close(): void {
    // sessions are their source's, and exchanges end by their sinks
  }

  wait(queued: Queued): boolean {
    if (this.#isServing && queued === this.#queue[0]) return true; // it was its turn, and keeps its place
    if (this.#queue.length >= this.options.queue.maxRequests) return false;
    this.#queue.push(queued);
    this.#deadline ??= this.options.deadlines.create(() => this.#tick());
    if (this.#queue.length === 1) this.#deadline.set(tickMs);
    return true;
  }

  forget(queued: Queued): void {
    const at = this.#queue.indexOf(queued);
    if (at >= 0) this.#queue.splice(at, 1);
  }

  freed(): void {
    if (this.#queue.length === 0 || this.#isFlushed) return;
    this.#isFlushed = true;
    later(this);
  }

  flush(): void {
    this.#isFlushed = false;
    this.#serveQueue();
  }

  #serveQueue(): void {
    this.#isServing = true;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if (first.seek() === 'no-stream') break;
      if (first === this.#queue[0]) this.#queue.shift();
    }
    this.#isServing = false;
  }

  #tick(): void {
    this.#serveQueue();
    for (const queued of [...this.#queue]) queued.waited(tickMs);
    if (this.#queue.length > 0) this.#deadline?.set(tickMs);
    else {
      this.#deadline?.dispose();
      this.#deadline = undefined;
    }
  }
}
