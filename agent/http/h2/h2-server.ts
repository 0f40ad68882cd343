import type { H2Session, H2SessionHandler, H2Stream } from '#agent/h2/types.ts';
import type { Deadline } from '#agent/http/deadlines.ts';
import type { HttpConnection, HttpService } from '#agent/http/service.ts';
import { h2Error } from '#agent/h2/errors.ts';
import { HeadCache } from './head-cache.ts';
import { H2ServerStream } from './h2-server-stream.ts';
import type { Listed, StreamHost } from './stream-host.ts';

/** How often streams are looked at: bounds how late a stall or a `grpc-timeout` is noticed. */
const sweepMs = 1_000;

/**
 * Serves HTTP/2: each request stream is judged and forwarded on its own. `open` makes the session with the handler it is
 * given, for example around a pipe that spoke the preface.
 */
export function serveH2<P>(open: (handler: H2SessionHandler) => H2Session, service: HttpService<P>): HttpConnection {
  const server = new H2Server(service);
  server.session = open(server);
  return server;
}

/** One session with its streams. One deadline serves all of them: a stream costs no timer. */
class H2Server<P> implements H2SessionHandler, StreamHost<P>, HttpConnection {
  session: H2Session | undefined;
  readonly service: HttpService<P>;
  readonly heads: HeadCache;
  readonly #deadline: Deadline;
  readonly #streams: Listed[] = [];
  #quietMs = 0;
  #isUsed = false;
  #isOver = false;

  constructor(service: HttpService<P>) {
    this.service = service;
    this.heads = new HeadCache(service.limits.head);
    this.#deadline = service.deadlines.create(() => this.#sweep());
    this.#deadline.set(Math.min(sweepMs, service.times.firstMs));
  }

  drain(): void {
    this.session?.drain();
  }

  destroy(): void {
    this.session?.destroy(h2Error.none);
  }

  reconsider(): void {
    for (const stream of [...this.#streams]) stream.reconsider();
  }

  onStream(stream: H2Stream): void {
    this.#isUsed = true;
    this.#quietMs = 0;
    stream.handler = new H2ServerStream(this, stream);
  }

  onReady(): void {
    // we wait for requests, not for settings
  }

  onGoaway(): void {
    // the caller opens no more streams; those in flight live on, and the session ends after them
  }

  onClosed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline.dispose();
    this.service.closed();
  }

  enter(stream: Listed): void {
    stream.place = this.#streams.push(stream) - 1;
  }

  leave(stream: Listed): void {
    const { place } = stream;
    if (place < 0) return;
    stream.place = -1;
    const last = this.#streams.pop()!;
    if (last === stream) return;
    this.#streams[place] = last;
    last.place = place;
  }

  #sweep(): void {
    const { times, clock } = this.service;
    const nowMs = clock.monotonic();
    for (let at = this.#streams.length - 1; at >= 0; at -= 1) this.#streams[at]?.sweep(nowMs, sweepMs);
    this.#quietMs += sweepMs;
    if ((this.session?.openStreams ?? 0) > 0) this.#quietMs = 0;
    const idleMs = this.#isUsed ? times.idleMs : times.firstMs;
    if (this.#quietMs >= idleMs) {
      this.#quietMs = 0;
      this.session?.drain(); // says goodbye; without streams it is over then
    }
    if (!this.#isOver) this.#deadline.set(Math.min(sweepMs, times.firstMs));
  }
}
