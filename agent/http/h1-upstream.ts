import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Result } from '#runtime/result.ts';
import type { Deadlines } from './deadlines.ts';
import type { Dial } from './dial.ts';
import { H1Client, type H1ClientOptions, type H1ClientOwner } from './h1-client.ts';
import type { HeaderField } from './head.ts';
import type { ExchangeProblem, Forwarded, RequestSink, ResponseSink, Upstream } from './message.ts';
import type { MessageLimits } from './service.ts';

export interface H1UpstreamOptions {
  readonly limits: MessageLimits;
  readonly deadlines: Deadlines;
  /** At most so many connections; further requests wait for one. 1 for an HTTP/1.1 caller's own upstream. */
  readonly maxConnections: number;
  /** How long a kept connection may be idle when the other side does not say. Default 4 s; Infinity: for ever. */
  readonly idleMs?: number;
}

export interface H1Upstream<P> extends Upstream<P> {
  /** Requests started and not over, those that wait included. */
  readonly inFlight: number;
  /** From here on no connection is kept: idle ones end now, busy ones after their answers. Requests still get fresh ones. */
  retire(): void;
}

/** Most servers keep an idle connection for 5 s or more. */
const defaultIdleMs = 4_000;

/** Somebody who answers HTTP/1.1 on connections that `dial` opens; they are kept between requests. */
export function createH1Upstream<P>(dial: Dial<P>, options: H1UpstreamOptions): H1Upstream<P> {
  return new KeptClients(dial, options);
}

class KeptClients<P> implements H1Upstream<P>, H1ClientOwner {
  readonly #dial: Dial<P>;
  readonly #maxConnections: number;
  readonly #options: H1ClientOptions;
  /** The last one that became idle is at the end, and is taken first. */
  readonly #idle: H1Client[] = [];
  readonly #busy = new Set<H1Client>();
  readonly #attempts = new Set<Attempt>();
  readonly #waiting: Waiting<P>[] = [];
  #state: 'open' | 'retired' | 'closed' = 'open';

  constructor(dial: Dial<P>, { limits, deadlines, maxConnections, idleMs = defaultIdleMs }: H1UpstreamOptions) {
    this.#dial = dial;
    this.#maxConnections = maxConnections;
    this.#options = { limits, deadlines, idleMs, owner: this };
  }

  get inFlight(): number {
    return this.#busy.size + this.#waiting.length;
  }

  start(request: Forwarded, response: ResponseSink<P>): RequestSink {
    const client = this.#takeIdle();
    if (client === undefined) return this.#wait(request, response);
    this.#busy.add(client);
    return client.send(request, response);
  }

  /** Other idle connections are as old as the one that was found closed: all of them go. */
  repeat(request: Forwarded, response: ResponseSink<P>): RequestSink {
    for (const client of this.#idle.splice(0)) client.retire();
    return this.#wait(request, response);
  }

  retire(): void {
    if (this.#state === 'open') this.#state = 'retired';
    for (const client of this.#idle.splice(0)) client.retire();
    for (const client of this.#busy) client.retire();
  }

  close(): void {
    this.#state = 'closed';
    for (const attempt of this.#attempts) attempt.stop?.();
    this.#attempts.clear();
    this.#waiting.length = 0;
    for (const client of this.#idle.splice(0)) client.retire();
    for (const client of this.#busy) client.destroy();
  }

  onIdle(client: H1Client): void {
    const [next] = this.#waiting;
    if (next !== undefined) return next.begin(client);
    this.#busy.delete(client);
    this.#idle.push(client);
  }

  onGone(client: H1Client): void {
    if (!this.#busy.delete(client)) {
      const at = this.#idle.indexOf(client);
      if (at >= 0) this.#idle.splice(at, 1);
    }
    this.#dialForWaiting();
  }

  #takeIdle(): H1Client | undefined {
    for (;;) {
      const client = this.#idle.pop();
      if (client === undefined || client.isIdle) return client;
      client.retire(); // just closed by the other side, which we are about to be told
    }
  }

  #wait(request: Forwarded, response: ResponseSink<P>): RequestSink {
    const waiting = new Waiting<P>(request, response, this.#waiting);
    this.#waiting.push(waiting);
    if (this.#state === 'closed') waiting.fail('upstream-closed');
    else this.#dialForWaiting();
    return waiting;
  }

  /** One attempt for each request that waits, as long as there is room. */
  #dialForWaiting(): void {
    while (this.#attempts.size < this.#waiting.length) {
      const connections = this.#attempts.size + this.#busy.size + this.#idle.length;
      if (connections >= this.#maxConnections || this.#state === 'closed') return;
      const attempt: Attempt = { stop: undefined };
      this.#attempts.add(attempt);
      attempt.stop = this.#dial((dialed) => this.#dialed(attempt, dialed));
    }
  }

  #dialed(attempt: Attempt, dialed: Result<Pipe, P>): void {
    this.#attempts.delete(attempt);
    const [next] = this.#waiting;
    if (!dialed.ok) {
      next?.fail({ unreachable: dialed.reason });
      return this.#dialForWaiting();
    }
    const client = new H1Client(dialed.value, this.#options);
    if (next === undefined) return this.#keep(client);
    this.#busy.add(client);
    next.begin(client);
    if (this.#state === 'retired') client.retire();
  }

  #keep(client: H1Client): void {
    if (this.#state === 'open') this.#idle.push(client);
    else client.retire();
  }
}

/** To open one connection. */
interface Attempt {
  stop: (() => void) | undefined;
}

/** A request that waits for its connection; then it is only a name for it. */
class Waiting<P> implements RequestSink {
  readonly #request: Forwarded;
  readonly #response: ResponseSink<P>;
  /** Where it waits, and no longer than it does. */
  readonly #queue: Waiting<P>[];
  #sink: RequestSink | undefined;
  /** What was read together with the head. */
  #early: Buffer[] = [];
  #trailers: readonly HeaderField[] | undefined;
  #isPaused = false;

  constructor(request: Forwarded, response: ResponseSink<P>, queue: Waiting<P>[]) {
    this.#request = request;
    this.#response = response;
    this.#queue = queue;
  }

  begin(client: H1Client): void {
    const early = this.#leave();
    const sink = client.send(this.#request, this.#response);
    this.#sink = sink;
    if (this.#isPaused) sink.pause();
    let hasRoom = true;
    for (const bytes of early) hasRoom = sink.data(bytes);
    if (this.#trailers !== undefined) sink.end(this.#trailers);
    else if (early.length > 0 && hasRoom) this.#response.onRequestDrain();
  }

  fail(problem: ExchangeProblem | { readonly unreachable: P }): void {
    this.#leave();
    this.#response.failed(problem);
  }

  data(bytes: Buffer): boolean {
    if (this.#sink !== undefined) return this.#sink.data(bytes);
    if (this.#isWaiting) this.#early.push(Buffer.from(bytes));
    return !this.#isWaiting;
  }

  end(trailers: readonly HeaderField[]): void {
    if (this.#sink !== undefined) this.#sink.end(trailers);
    else this.#trailers = trailers;
  }

  abort(): void {
    if (this.#sink !== undefined) this.#sink.abort();
    else this.#leave();
  }

  pause(): void {
    this.#isPaused = true;
    this.#sink?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#sink?.resume();
  }

  get #isWaiting(): boolean {
    return this.#queue.includes(this);
  }

  /** Gives what was kept meanwhile. */
  #leave(): readonly Buffer[] {
    const at = this.#queue.indexOf(this);
    if (at >= 0) this.#queue.splice(at, 1);
    const early = this.#early;
    this.#early = [];
    return early;
  }
}
