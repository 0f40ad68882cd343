import type { Duplex } from 'node:stream';
import { cut } from '#agent/tunnel/cut.ts';
import { splice } from '#agent/tunnel/splice.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Result } from '#runtime/result.ts';
import type { Later } from './body-pump.ts';
import { ByteChannel } from './channel.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import { exchange, type ExchangeLimits, type ExchangeProblem, type Exchanged, type Forwarded } from './exchange.ts';
import { readRequestHead, type HeadProblem, type RequestHead } from './head.ts';
import { answerBytes, problemAnswer, type Answer } from './answers.ts';
import { readHead } from './read-head.ts';

export interface Acquired {
  readonly channel: ByteChannel;
  /** Whether an earlier request has used it. */
  readonly use: 'first' | 'again';
}

/** Where the requests of one connection go: one stream at a time, kept between requests while it is good. */
export interface Upstream<P> {
  /** A stream on which no request is in flight. */
  acquire(): Later<Result<Acquired, P>>;
  /** The request on it is over. `keep`: the stream may carry another one, within `idleMs` where the peer said so. */
  release(next: { readonly kind: 'keep'; readonly idleMs: number | undefined } | { readonly kind: 'drop' }): void;
}

export type Admission<P> =
  | { readonly kind: 'forward'; readonly request: Forwarded; readonly upstream: Upstream<P> }
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** `answer` is sent, and the connection with all that follows on it then belongs to `serve`. */
  | { readonly kind: 'hand-over'; readonly answer: Buffer; readonly serve: () => HandedOver };

/** Whoever serves a connection now that was handed over. */
export interface HandedOver {
  readonly done: Promise<void>;
  drain?(): void;
}

export interface HttpService<P> {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly limits: ExchangeLimits;
  readonly times: HttpTimes;
  /** Judges a request by its head alone. */
  admit(head: RequestHead): Later<Admission<P>>;
  /** Counts and logs how requests end, and words what the caller is told of a failure. */
  readonly report: {
    refused(reason: HeadProblem): Answer;
    unreachable(problem: P): Answer;
    failed(problem: ExchangeProblem): Answer;
    answered(status: number, by: 'app' | 'agent'): void;
    upgraded(): void;
    /** A stream that had been upgraded is over. */
    upgradeEnded(how: 'ended' | 'cut'): void;
  };
  /** The connection is over: let go of the upstream. */
  closed(): void;
}

export interface HttpTimes {
  /** From the first byte of a head to its last. */
  readonly headMs: number;
  /** From the connection's start to the first byte of its first request. */
  readonly firstMs: number;
  /** Between requests. */
  readonly idleMs: number;
  /** Within a request, without a byte in either direction. */
  readonly stallMs: number;
}

export interface HttpConnection {
  readonly done: Promise<void>;
  /** No further request: an idle connection ends now, a busy one after its answer. */
  drain(): void;
}

const lingerMs = 1_000;

/** Serves HTTP/1.1 on one connection, request after request: read head → admit → exchange. */
export function serveHttp<P>(duplex: Duplex, service: HttpService<P>): HttpConnection {
  const connection = new Connection(duplex, service);
  return { done: connection.run(), drain: () => connection.drain() };
}

class Connection<P> {
  readonly #down: ByteChannel;
  readonly #service: HttpService<P>;
  readonly #deadline: Deadline;
  #phase: 'idle' | 'head' | 'exchange' = 'idle';
  #draining = false;
  #isFirst = true;
  #successor: HandedOver | undefined;
  /** Of the current request. */
  #method = '';
  readonly #onProgress = (): void => this.#deadline.set(this.#service.times.stallMs);

  constructor(duplex: Duplex, service: HttpService<P>) {
    this.#down = new ByteChannel(duplex);
    this.#service = service;
    this.#deadline = service.deadlines.create(() => this.#expired());
  }

  async run(): Promise<void> {
    try {
      while (await this.#serveOne());
    } finally {
      this.#deadline.dispose();
      this.#service.closed();
    }
  }

  drain(): void {
    this.#draining = true;
    this.#successor?.drain?.();
    if (this.#phase === 'idle' && this.#down.isIdle) this.#endAndLinger();
  }

  #expired(): void {
    if (this.#phase === 'head') this.#answerAndLinger(problemAnswer(408, 'The request head took too long'));
    else if (this.#phase === 'idle') this.#endAndLinger();
    else cut(this.#down.duplex);
  }

  /** One request; whether another may follow. */
  async #serveOne(): Promise<boolean> {
    const { times, limits, report } = this.#service;
    this.#phase = 'idle';
    this.#method = '';
    this.#deadline.set(this.#isFirst ? times.firstMs : times.idleMs);
    this.#isFirst = false;
    const read = await readHead(
      this.#down,
      (bytes) => readRequestHead(bytes, limits.head),
      () => {
        this.#phase = 'head';
        this.#deadline.set(times.headMs);
      },
    );
    if (read.kind === 'end' || read.kind === 'cut') {
      if (read.kind === 'end') this.#endAndLinger();
      else cut(this.#down.duplex);
      return false;
    }
    if (read.kind === 'refused') {
      this.#answerAndLinger(report.refused(read.reason));
      return false;
    }
    this.#phase = 'exchange';
    this.#deadline.set(times.stallMs);
    this.#method = read.head.method;
    const admitting = this.#service.admit(read.head);
    const admission = admitting instanceof Promise ? await admitting : admitting;
    if (admission.kind === 'forward') return this.#forward(admission);
    if (admission.kind === 'hand-over') return this.#handOver(admission);
    this.#answerAndLinger(admission.answer);
    return false;
  }

  async #handOver({ answer, serve }: Admission<P> & { kind: 'hand-over' }): Promise<false> {
    this.#deadline.clear();
    const early = this.#down.release();
    for (const bytes of early.reverse()) this.#down.duplex.unshift(bytes);
    this.#down.duplex.write(answer);
    this.#successor = serve();
    if (this.#draining) this.#successor.drain?.();
    await this.#successor.done;
    return false;
  }

  async #forward({ request, upstream }: { request: Forwarded; upstream: Upstream<P> }): Promise<boolean> {
    const { limits, report } = this.#service;
    for (;;) {
      const acquiring = upstream.acquire();
      const acquired = acquiring instanceof Promise ? await acquiring : acquiring;
      if (!acquired.ok) {
        this.#answerAndLinger(report.unreachable(acquired.reason));
        return false;
      }
      const { channel, use } = acquired.value;
      const result = await exchange({ down: this.#down, up: channel }, request, limits, this.#onProgress);
      if (result.kind === 'upgraded') return this.#upgraded(channel);
      if (result.kind === 'done') return this.#answered(result, upstream);
      upstream.release({ kind: 'drop' });
      if (use === 'again' && isRepeatable(request.head, result)) continue;
      const answer = report.failed(result.problem);
      if (result.answered === 'partly' || result.problem === 'downstream-gone') cut(this.#down.duplex);
      else this.#answerAndLinger(answer);
      return false;
    }
  }

  #answered(result: Exchanged & { kind: 'done' }, upstream: Upstream<P>): boolean {
    const keep = result.upReusable && !this.#draining;
    upstream.release(keep ? { kind: 'keep', idleMs: result.upIdleMs } : { kind: 'drop' });
    this.#service.report.answered(result.status, result.answeredBy);
    if (result.downReusable && !this.#draining) return true;
    this.#endAndLinger();
    return false;
  }

  async #upgraded(up: ByteChannel): Promise<false> {
    this.#deadline.clear();
    this.#service.report.upgraded();
    const early = { fromA: this.#down.release(), fromB: up.release() };
    this.#service.report.upgradeEnded(await splice(this.#down.duplex, up.duplex, early));
    return false;
  }

  #answerAndLinger(answer: Answer): void {
    if (this.#down.duplex.writable) this.#down.duplex.write(answerBytes(answer, this.#method));
    this.#endAndLinger();
  }

  /** Ends our side and lets the caller read what we said before the connection goes: bounded, unread. */
  #endAndLinger(): void {
    const { duplex } = this.#down;
    this.#deadline.clear();
    this.#down.discard();
    if (duplex.destroyed) return;
    duplex.end();
    const timer = this.#service.clock.timer(lingerMs, () => duplex.destroy());
    duplex.once('close', () => timer.cancel());
  }
}

/** A kept connection that the app closed just as we used it: nobody has seen this request, and it may be sent again. */
function isRepeatable(head: RequestHead, result: Exchanged & { kind: 'failed' }): boolean {
  const idempotent = head.method === 'GET' || head.method === 'HEAD' || head.method === 'OPTIONS';
  return result.problem === 'upstream-closed' && idempotent && head.framing.kind === 'none';
}
