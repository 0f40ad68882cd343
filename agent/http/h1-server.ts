import type { Pipe, PipeReader } from '#agent/pipe/pipe.ts';
import { splice, type SpliceEnd } from '#agent/pipe/splice.ts';
import { unreachable } from '#runtime/result.ts';
import { answerBytes, type Answer } from './answers.ts';
import type { Deadline } from './deadlines.ts';
import { H1Exchange, type ExchangeHost, type UpgradedPipe } from './h1-exchange.ts';
import type { H1State } from './h1-state.ts';
import { HeadGatherer } from './head-gatherer.ts';
import { readRequestHead, type HeadReading, type RequestHead } from './head.ts';
import { Intake, type Taker } from './intake.ts';
import { KnownHeads } from './known-heads.ts';
import { prependPipe } from './prepended-pipe.ts';
import type { Admission, HandedOver, HttpConnection, HttpService } from './service.ts';

/**
 * Serves HTTP/1.1 on a caller's pipe (RFC 9112): read head → admit → upstream → answer written anew → next request.
 * Makes itself the pipe's reader and resumes it. Who has read bytes already says so at once:
 * `pipe.reader.onBytes(early)`.
 */
export function serveH1<P>(pipe: Pipe, service: HttpService<P>): HttpConnection {
  return new H1Connection(pipe, service);
}

/** What was answered can still be read so long after our end. */
const lingerMs = 1_000;
/** An idle connection remembers its last request's head so long. */
const rememberMs = 10_000;

class H1Connection<P> implements PipeReader, Taker, ExchangeHost, HttpConnection {
  isDraining = false;
  readonly #pipe: Pipe;
  readonly #service: HttpService<P>;
  readonly #deadline: Deadline;
  readonly #intake: Intake;
  readonly #gatherer = new HeadGatherer();
  readonly #known: KnownHeads;
  readonly #exchange: H1Exchange<P>;
  #state: H1State = 'head';
  #method = ''; // of the current request
  #callerEnded = false;
  #successor: HandedOver | undefined;
  #upgraded: RequestHead | undefined;
  #unsentBefore = 0;

  constructor(pipe: Pipe, service: HttpService<P>) {
    this.#pipe = pipe;
    this.#service = service;
    this.#known = new KnownHeads(service.commonHead);
    this.#intake = new Intake(pipe, this);
    this.#exchange = new H1Exchange(this, pipe, service.limits.body);
    this.#deadline = service.deadlines.create(() => this.#expired());
    this.#deadline.set(service.times.firstMs);
    pipe.reader = this;
    pipe.resume();
  }

  drain(): void {
    this.isDraining = true;
    this.#successor?.drain?.();
    if (this.#state === 'head' && this.#gatherer.isEmpty && this.#intake.isEmpty) this.linger();
  }

  destroy(): void {
    if (this.#state === 'handed') this.#pipe.cut();
    else this.cut();
  }

  reconsider(): void {
    if (this.#state === 'exchange') this.#exchange.reconsider((head) => this.#service.revoked?.(head));
    else if (this.#upgraded && this.#service.revoked?.(this.#upgraded)) this.#pipe.cut();
  }

  onBytes(bytes: Buffer): void {
    this.#intake.arrived(bytes);
  }
  onEnd(): void {
    this.#callerEnded = true;
    this.#endWithCaller();
  }
  onCut(): void {
    this.cut();
  }
  onDrain(): void {
    this.#exchange.drained();
    if (this.#state === 'exchange') this.moved();
    this.goOn();
  }

  get takesBytes(): boolean {
    switch (this.#state) {
      case 'head':
        return !this.#exchange.isCallerFull; // who does not read its answers gets no more of them
      case 'exchange':
        return this.#exchange.takesBody;
      default:
        return this.#state === 'lingering' || this.#state === 'over';
    }
  }

  get isFull(): boolean {
    return this.#exchange.isSinkFull;
  }

  take(bytes: Buffer, at: number): number {
    if (this.#state === 'head') return this.#takeHead(bytes, at);
    return this.#state === 'exchange' ? this.#exchange.takeBody(bytes, at) : bytes.length;
  }

  moved(): void {
    this.#deadline.set(this.#service.times.stallMs);
  }

  goOn(): void {
    this.#intake.goOn();
    this.#endWithCaller();
  }

  next(): void {
    this.#state = 'head';
    this.#method = '';
    const { idleMs } = this.#service.times;
    this.#deadline.set(this.#known.holdsOwn ? Math.min(idleMs, rememberMs) : idleMs);
    this.goOn();
  }

  /** Ends our side and lets the caller read what we said before the connection goes: bounded, unread. */
  linger(): void {
    this.#endBy('end');
    this.#intake.goOn();
  }

  /** Where bytes of the caller lay unread, the system would drop what it has not sent yet. */
  hangUp(): void {
    if (this.#intake.isEmpty && this.#pipe.hangUp !== undefined) this.#endBy('hangUp');
    else this.linger();
  }

  #endBy(ending: 'end' | 'hangUp'): void {
    if (this.#state === 'over') return;
    this.#state = 'lingering';
    this.#gatherer.clear();
    this.#known.forgetOwn();
    this.#unsentBefore = Infinity;
    this.#deadline.set(lingerMs);
    this.#pipe[ending]?.();
  }

  say(answer: Answer): void {
    if (this.#state === 'over') return;
    this.#pipe.write(answerBytes(answer, this.#method));
    this.linger();
  }

  cut(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#deadline.dispose();
    this.#pipe.cut();
    this.#exchange.abort();
    this.#service.closed();
  }

  splice(head: RequestHead, upstream: UpgradedPipe, onOver: (end: SpliceEnd) => void): boolean {
    if (this.#callerEnded) return false;
    this.#upgraded = head;
    splice(this.#pipe, upstream.pipe, {
      earlyFromA: this.#handOver(),
      earlyFromB: upstream.early,
      onDone: (end) => {
        this.#state = 'over';
        this.#upgraded = undefined;
        onOver(end);
        this.#service.closed();
      },
    });
    return true;
  }

  #takeHead(bytes: Buffer, at: number): number {
    let all = bytes;
    let from = at;
    if (!this.#gatherer.isEmpty) {
      const more = this.#gatherer.add(bytes.subarray(at));
      if (more === undefined) return bytes.length;
      all = more;
      from = 0;
    }
    const known = this.#known.find(all, from);
    let head = known?.head;
    let end = from + (known?.length ?? 0);
    if (head === undefined) {
      const window = from === 0 ? all : all.subarray(from);
      const reading = readRequestHead(window, this.#service.limits.head);
      if (reading.kind !== 'complete') {
        this.#takeNoHead(reading, window);
        return bytes.length;
      }
      ({ head } = reading);
      end = from + reading.end;
      this.#known.keep(head, all, { from, to: end });
    }
    this.#gatherer.clear();
    if (all !== bytes || head.upgrade !== undefined || head.method === 'CONNECT') {
      this.#intake.hold(all, end); // before the connection may go to somebody else
      end = bytes.length;
    }
    this.#begin(head);
    return end;
  }

  #takeNoHead(reading: Exclude<HeadReading<RequestHead>, { kind: 'complete' }>, window: Buffer): void {
    if (reading.kind === 'refused') return this.say(this.#service.refused(reading.reason));
    if (this.#gatherer.isEmpty) this.#deadline.set(this.#service.times.headMs);
    this.#gatherer.keep(window);
  }

  #begin(head: RequestHead): void {
    this.#state = 'admitting';
    this.#method = head.method;
    this.#exchange.startedMs = this.#service.deadlines.nowMs();
    this.moved();
    const admission = this.#service.admit(head);
    if (!(admission instanceof Promise)) return this.#admitted(admission);
    void admission.then((late) => {
      this.#admitted(late);
      this.goOn();
    });
  }

  #admitted(admission: Admission<P>): void {
    if (this.#state !== 'admitting') {
      if (admission.kind === 'forward') this.#exchange.neverBegun(admission); // the caller has left meanwhile
      return;
    }
    switch (admission.kind) {
      case 'answer':
        return this.say(admission.answer);
      case 'hand-over':
        return this.#giveAway(admission);
      case 'forward':
        this.#state = 'exchange';
        return this.#exchange.begin(admission);
      default:
        return unreachable(admission);
    }
  }

  #giveAway({ answer, serve }: Admission<P> & { readonly kind: 'hand-over' }): void {
    this.#pipe.write(answer);
    this.#successor = serve(prependPipe(this.#pipe, this.#handOver()));
    if (this.isDraining) this.#successor.drain?.();
    this.#service.closed();
  }

  /** Nothing that arrives is ours from here on; gives what has arrived already. */
  #handOver(): Buffer {
    this.#state = 'handed';
    this.#deadline.dispose();
    this.#known.forgetOwn();
    return this.#intake.release();
  }

  /** The caller sends no more: once it has all its answers, neither do we. */
  #endWithCaller(): void {
    if (!this.#callerEnded || !this.#intake.isEmpty) return;
    if (this.#state === 'head' && this.#gatherer.isEmpty) this.hangUp();
    else if (this.#state === 'head' || this.#exchange.takesBody) this.cut(); // in the middle of a request
  }

  #expired(): void {
    switch (this.#state) {
      case 'head':
        return this.#headExpired();
      case 'exchange':
        return this.#exchange.expired();
      case 'lingering':
        return this.#lingered();
      default:
        return this.cut();
    }
  }

  #headExpired(): void {
    if (!this.#gatherer.isEmpty) return this.say(this.#service.refused('head-timeout'));
    const { idleMs } = this.#service.times;
    if (!this.#known.holdsOwn || idleMs <= rememberMs) return this.linger();
    this.#known.forgetOwn();
    this.#deadline.set(idleMs - rememberMs);
  }

  /** The caller had its time, unless it is still reading. */
  #lingered(): void {
    const unsent = this.#pipe.unsentBytes;
    if (unsent === 0 || unsent >= this.#unsentBefore) return this.cut();
    this.#unsentBefore = unsent;
    this.moved();
  }
}
