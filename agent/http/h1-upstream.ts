import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Result } from '#runtime/result.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { Dial } from './dial.ts';
import { H1Client, type H1ClientOptions, type H1ClientOwner } from './h1-client.ts';
import type { Forwarded, RequestSink, ResponseSink, Upstream } from './message.ts';
import type { MessageLimits } from './service.ts';
import { WaitingRequest, type QueueLimits } from './waiting-request.ts';

export interface H1UpstreamOptions<P> {
  readonly limits: MessageLimits;
  readonly deadlines: Deadlines;
  /** At most so many connections; further requests wait for one. 1 for an HTTP/1.1 caller's own upstream. */
  readonly maxConnections: number;
  /** How many requests may wait for one, how long where all are taken, and what is said of the others. */
  readonly queue: QueueLimits & { readonly problem: P };
  /** How long a kept connection may be idle when the other side does not say. Default 4 s; Infinity: for ever. */
  readonly idleMs?: number;
  readonly onHttp2?: H1ClientOptions['onHttp2'];
}

export interface H1Upstream<P> extends Upstream<P> {
  /** Requests started and not over, those that wait included. */
  readonly inFlight: number;
  /** From here on no connection is kept: idle ones end now, busy ones after their answers. Requests still get fresh ones. */
  retire(): void;
}

/** Most servers keep an idle connection for 5 s or more. */
const defaultIdleMs = 4_000;

/** How often the queue is looked at while connections are all taken. */
const tickMs = 500;

/** Somebody who answers HTTP/1.1 on connections that `dial` opens; they are kept between requests. */
export function createH1Upstream<P>(dial: Dial<P>, options: H1UpstreamOptions<P>): H1Upstream<P> {
  return new KeptClients(dial, options);
}

class KeptClients<P> implements H1Upstream<P>, H1ClientOwner {
  readonly #dial: Dial<P>;
  readonly #maxConnections: number;
  readonly #queue: H1UpstreamOptions<P>['queue'];
  readonly #options: H1ClientOptions;
  /** The last one that became idle is at the end, and is taken first. */
  readonly #idle: H1Client[] = [];
  readonly #busy = new Set<H1Client>();
  readonly #attempts = new Set<Attempt>();
  /** The oldest first. */
  readonly #waiting: Queued<P>[] = [];
  /** While there are more of them than connections on their way. */
  #deadline: Deadline | undefined;
  #state: 'open' | 'retired' | 'closed' = 'open';

  constructor(dial: Dial<P>, options: H1UpstreamOptions<P>) {
    const { limits, deadlines, maxConnections, queue, idleMs = defaultIdleMs, onHttp2 } = options;
    this.#dial = dial;
    this.#maxConnections = maxConnections;
    this.#queue = queue;
    this.#options = { limits, deadlines, idleMs, owner: this, onHttp2 };
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
    this.#endTicks();
    for (const client of this.#idle.splice(0)) client.retire();
    for (const client of this.#busy) client.destroy();
  }

  onIdle(client: H1Client): void {
    const next = this.#waiting.shift();
    if (next !== undefined) return next.begun(client.send(next.request, next.response));
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
    const waiting = new Queued<P>(request, response, this.#waiting);
    if (this.#state === 'closed') waiting.fail('upstream-closed');
    else if (this.#waiting.length >= this.#queue.maxRequests) waiting.fail({ unreachable: this.#queue.problem });
    else {
      this.#waiting.push(waiting);
      this.#dialForWaiting();
      if (this.#waiting.length > this.#attempts.size) this.#startTicks();
    }
    return waiting;
  }

  #startTicks(): void {
    if (this.#deadline !== undefined) return;
    this.#deadline = this.#options.deadlines.create(() => this.#tick());
    this.#deadline.set(tickMs);
  }
  #endTicks(): void {
    this.#deadline?.dispose();
    this.#deadline = undefined;
  }
  #tick(): void {
    for (const waiting of this.#waiting) waiting.waitedMs += tickMs;
    while ((this.#waiting[0]?.waitedMs ?? 0) >= this.#queue.maxMs) {
      this.#waiting.shift()?.fail({ unreachable: this.#queue.problem });
    }
    if (this.#waiting.length > 0) this.#deadline?.set(tickMs);
    else this.#endTicks();
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
    const next = this.#waiting.shift();
    if (!dialed.ok) {
      next?.fail({ unreachable: dialed.reason });
      return this.#dialForWaiting();
    }
    const client = new H1Client(dialed.value, this.#options);
    if (next === undefined) return this.#keep(client);
    this.#busy.add(client);
    next.begun(client.send(next.request, next.response));
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
class Queued<P> extends WaitingRequest<P> {
  waitedMs = 0;
  readonly #queue: Queued<P>[];

  constructor(request: Forwarded, response: ResponseSink<P>, queue: Queued<P>[]) {
    super(request, response);
    this.#queue = queue;
  }

  override abort(): void {
    const at = this.#queue.indexOf(this);
    if (at >= 0) this.#queue.splice(at, 1);
    super.abort();
  }
}
