import type { Pipe } from '#agent/pipe/pipe.ts';
import type { SpliceEnd } from '#agent/pipe/splice.ts';
import { AnswerWriter } from './answer-writer.ts';
import type { Answer } from './answers.ts';
import { BodyReader, type BodyLimits } from './body.ts';
import type { HeaderField, RequestHead, ResponseHead } from './head.ts';
import type { ExchangeProblem, Forwarded, RequestSink, ResponseSink } from './message.ts';
import { webSocketUpgrade } from './own-fields.ts';
import { decisionName } from './problem.ts';
import type { Admission, RequestEnd, RequestReport } from './service.ts';

/** The connection on which exchanges happen, one after another. */
export interface ExchangeHost {
  readonly isDraining: boolean;
  /** Bytes moved, or room for them came. */
  moved(): void;
  /** The request's body is wanted again. */
  goOn(): void;
  /** Request and answer are whole, and another may follow. */
  next(): void;
  /** No other may follow; what was written is to reach the caller. */
  linger(): void;
  /** The same, where the caller said itself that this request was its last. */
  hangUp(): void;
  /** An answer of ours, and then no other. */
  say(answer: Answer): void;
  /** The caller must see that the answer is not whole. */
  cut(): void;
  /** From here on its bytes and the pipe's belong together; false: too late, the caller has ended already. */
  splice(head: RequestHead, upstream: UpgradedPipe, onOver: (end: SpliceEnd) => void): boolean;
}

/** The app's connection after its 101, and what arrived with that. */
export interface UpgradedPipe {
  readonly pipe: Pipe;
  readonly early: Buffer;
}

const noTrailers: readonly HeaderField[] = Object.freeze([]);

/** The exchanges of one connection, one at a time: the request's body goes up, the answer is written anew. */
export class H1Exchange<P> implements ResponseSink<P> {
  /** When the head of the current request was whole. */
  startedMs = 0;
  readonly #host: ExchangeHost;
  readonly #pipe: Pipe;
  readonly #body: BodyReader;
  readonly #answer: AnswerWriter;
  #state: 'none' | 'body' | 'answering' = 'none';
  #request: Forwarded | undefined;
  #report: RequestReport<P> | undefined;
  #sink: RequestSink | undefined;
  #isSinkFull = false;
  #isCallerFull = false;
  /** Unsent when bytes moved last: fewer are progress. */
  #unsentBefore = 0;
  #requestBytes = 0;
  /** Counts exchanges. */
  #turn = 0;
  #answeredBy: 'app' | 'agent' = 'app';
  #decisionId: string | undefined;

  constructor(host: ExchangeHost, pipe: Pipe, limits: BodyLimits) {
    this.#host = host;
    this.#pipe = pipe;
    this.#body = new BodyReader(limits);
    this.#answer = new AnswerWriter(pipe);
  }

  get takesBody(): boolean {
    return this.#state === 'body';
  }
  /** The upstream takes the body slower than it comes. */
  get isSinkFull(): boolean {
    return this.#isSinkFull;
  }
  /** The caller reads slower than it is answered. */
  get isCallerFull(): boolean {
    return this.#isCallerFull;
  }

  begin({ request, upstream, report }: Admission<P> & { readonly kind: 'forward' }): void {
    const { framing } = request.head;
    const isWhole = framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0);
    this.#request = request;
    this.#report = report;
    this.#requestBytes = 0;
    this.#answeredBy = 'app';
    this.#decisionId = undefined;
    this.#answer.begin();
    this.#state = isWhole ? 'answering' : 'body';
    if (!isWhole) this.#body.begin(framing);
    this.#turn += 1;
    const turn = this.#turn;
    const sink = upstream.start(request, this);
    if (this.#turn !== turn || this.#report === undefined) return; // answered or failed already
    this.#sink = sink;
    if (this.#isCallerFull) sink.pause();
    if (isWhole) sink.end(noTrailers);
  }

  /** The caller has left before its request was admitted. */
  neverBegun({ request, report }: Admission<P> & { readonly kind: 'forward' }): void {
    this.#request = request;
    this.#report = report;
    this.#answer.begin();
    this.#finish(0, 'us', 'cut');
  }

  /** Takes body bytes from `from` on; the offset behind them. */
  takeBody(bytes: Buffer, from: number): number {
    const body = this.#body;
    const sink = this.#sink!;
    for (let at = from; ; at = body.at) {
      const step = body.step(bytes, at);
      if (step === 'data') {
        this.#requestBytes += body.data.length;
        if (!sink.data(body.data)) this.#isSinkFull = true;
        if (this.#state !== 'body') return body.at; // failed, or answered early
      } else if (step === 'more') {
        this.#host.moved();
        return body.at;
      } else if (step === 'done') {
        this.#state = 'answering';
        sink.end(body.trailers.length === 0 ? noTrailers : this.#request!.filterFields(body.trailers));
        return body.at;
      } else {
        sink.abort();
        this.failed({ badRequestBody: step });
        return bytes.length;
      }
    }
  }

  /** The caller's pipe has room again. */
  drained(): void {
    this.#isCallerFull = false;
    this.#sink?.resume();
  }

  /** The caller is gone, or must not get more. */
  abort(): void {
    if (this.#report === undefined) return;
    const sink = this.#sink;
    this.#finish(this.#answer.status, this.#answeredBy, 'cut');
    sink?.abort();
  }

  /** `judge` gives what is to be said where the request is not allowed any more. */
  reconsider(judge: (head: RequestHead) => Answer | undefined): void {
    const answer = this.#request && judge(this.#request.head);
    if (answer === undefined) return;
    const sink = this.#sink;
    this.#decisionId = answer.decisionId;
    if (this.#answer.status > 0) return this.#host.cut();
    this.#finish(answer.status, 'us', 'complete');
    sink?.abort();
    this.#host.say(answer);
  }

  /** Nothing has moved for too long (A54). */
  expired(): void {
    const unsent = this.#pipe.unsentBytes;
    if (this.#isCallerFull && unsent < this.#unsentBefore) {
      this.#unsentBefore = unsent; // the caller reads, slowly
      return this.#host.moved();
    }
    const sink = this.#sink;
    const isCallersFault = this.#isCallerFull || (this.#state === 'body' && !this.#isSinkFull);
    if (!isCallersFault) {
      sink?.abort();
      return this.failed('upstream-timeout');
    }
    if (this.#answer.status > 0) return this.#host.cut();
    sink?.abort();
    this.failed('downstream-timeout');
  }

  onRequestDrain(): void {
    this.#isSinkFull = false;
    this.#host.goOn();
  }

  informational(head: ResponseHead, headers: readonly HeaderField[]): void {
    this.#host.moved();
    if (this.#request!.head.version === '1.1') this.#answer.informational(head, headers);
  }

  head(head: ResponseHead, headers: readonly HeaderField[]): void {
    const request = this.#request!.head;
    this.#host.moved();
    this.#decisionId = decisionOf(head);
    this.#answeredBy = this.#decisionId === undefined ? 'app' : 'agent';
    // What follows a CONNECT is not HTTP: whoever lets one through instead of handing it over gets no second message.
    const stays = request.keepAlive && !this.#host.isDraining && request.method !== 'CONNECT';
    this.#answer.head(request, head, headers, stays ? 'keep' : 'close');
  }

  data(bytes: Buffer): void {
    const written = this.#answer.data(bytes);
    if (written === 'too-long') return this.#lie();
    if (written === 'wait' && !this.#isCallerFull) {
      this.#isCallerFull = true;
      this.#sink?.pause();
    }
    if (this.#isCallerFull) this.#unsentBefore = this.#pipe.unsentBytes;
    this.#host.moved();
  }

  end(trailers: readonly HeaderField[]): void {
    if (this.#answer.end(trailers) === 'too-short') return this.#lie();
    const sink = this.#sink;
    const isWhole = this.#state === 'answering';
    const stays = isWhole && this.#answer.keepsAlive && !this.#host.isDraining;
    const wasLast = isWhole && !this.#request!.head.keepAlive;
    this.#finish(this.#answer.status, this.#answeredBy, 'complete');
    if (!isWhole) sink?.abort(); // an early answer: the rest of the request must not be read as another
    if (stays) this.#host.next();
    else if (wasLast) this.#host.hangUp();
    else this.#host.linger();
  }

  upgraded(head: ResponseHead, headers: readonly HeaderField[], rest: UpgradedPipe): void {
    const report = this.#report!;
    const { startedMs } = this;
    const request = this.#request!;
    this.#answer.informational(head, [...headers, ...webSocketUpgrade]);
    const isSpliced = this.#host.splice(request.head, rest, ({ outcome, bytesFromA, bytesFromB }) =>
      report.upgradeEnded({ outcome, request, startedMs, requestBytes: bytesFromA, responseBytes: bytesFromB }),
    );
    if (isSpliced) {
      this.#clear();
      report.upgraded();
    } else {
      rest.pipe.cut();
      this.#host.cut();
    }
  }

  failed(problem: ExchangeProblem | { readonly unreachable: P }): void {
    const report = this.#report!;
    if (problem === 'downstream-gone') return this.#host.cut();
    const isUnreached = typeof problem === 'object' && 'unreachable' in problem;
    const answer = isUnreached ? report.unreachable(problem.unreachable) : report.failed(problem);
    this.#decisionId = answer.decisionId;
    if (this.#answer.status > 0) {
      this.#sink = undefined; // it has said its last word
      return this.#host.cut();
    }
    this.#finish(answer.status, 'us', 'complete');
    this.#host.say(answer);
  }

  /** The upstream gave more or less than it announced. */
  #lie(): void {
    const sink = this.#sink;
    this.failed('upstream-broken');
    sink?.abort();
  }

  #finish(status: number, answeredBy: RequestEnd['answeredBy'], outcome: RequestEnd['outcome']): void {
    const report = this.#report!;
    const end: RequestEnd = {
      request: this.#request!,
      startedMs: this.startedMs,
      status,
      answeredBy,
      decisionId: this.#decisionId,
      grpcStatus: undefined, // no client of gRPC speaks HTTP/1.1
      outcome,
      requestBytes: this.#requestBytes,
      responseBytes: this.#answer.bytes,
    };
    this.#clear();
    report.finished(end);
  }

  #clear(): void {
    this.#state = 'none';
    this.#request = undefined;
    this.#report = undefined;
    this.#sink = undefined;
    this.#isSinkFull = false;
  }
}

/** The decision that it names: only another agent's answers do, for agents remove the name from their apps'. */
function decisionOf({ headers }: ResponseHead): string | undefined {
  for (const { name, value } of headers) {
    if (name.length === decisionName.length && name === decisionName) return value;
  }
  return undefined;
}
