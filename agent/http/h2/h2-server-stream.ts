import { h2Error } from '#agent/h2/errors.ts';
import type { H2ErrorCode, H2Stream, H2StreamHandler } from '#agent/h2/types.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { EarlyBody } from '#agent/http/early-body.ts';
import { problemAnswer, type Answer } from '#agent/http/answers.ts';
import type { HeadProblem, RequestHead, ResponseHead } from '#agent/http/head.ts';
import { noFields, type HeaderField } from '#agent/http/header-field.ts';
import type { ExchangeProblem, RequestSink, ResponseSink } from '#agent/http/message.ts';
import type { Forward } from '#agent/http/last-admission.ts';
import type { Admission, RequestEnd, RequestReport } from '#agent/http/service.ts';
import { grpcStatusIn } from './grpc.ts';
import { decisionOf, readerOf } from './h2-answer.ts';
import { passableTrailers } from './h2-fields.ts';
import { areMalformed, isConnectRequest, isMalformed, isWithoutContent } from './h2-head.ts';
import { StreamAnswer } from './stream-answer.ts';
import type { RequestPhase } from './request-phase.ts';
import type { Listed, StreamHost } from './stream-host.ts';

/** One request: reads it from its stream, has it judged and forwarded, and takes its answer. */
export class H2ServerStream<P> extends StreamAnswer implements H2StreamHandler, ResponseSink<P>, Listed {
  place = -1;
  readonly #host: StreamHost<P>;
  #phase: RequestPhase = 'fresh';
  #fields: readonly HeaderField[] = [];
  #head: RequestHead | undefined;
  #report: RequestReport<P> | undefined;
  #admission: Forward<P> | undefined;
  #sink: RequestSink | undefined;
  /** What arrived before somebody wanted it. */
  #early: EarlyBody | undefined;
  #requestEnded = false;
  #requestBytes = 0;
  #quietMs = 0;
  #dueMs = Infinity;

  constructor(host: StreamHost<P>, stream: H2Stream) {
    super(stream);
    this.#host = host;
  }

  onHeaders(fields: readonly HeaderField[], end: boolean): void {
    this.#quietMs = 0;
    if (this.#phase === 'fresh') {
      if (isConnectRequest(fields)) return this.#reset(h2Error.protocol); // whoever serves tunnels took its own before
      this.#host.enter(this);
      this.#begin(fields, end);
    } else if (areMalformed(fields)) this.#breakRequest('bad-trailer');
    else this.#requestDone(fields);
  }

  onData(bytes: Buffer): void {
    this.#quietMs = 0;
    this.#requestBytes += bytes.length;
    switch (this.#phase) {
      case 'forwarding': {
        const framing = this.#head!.framing;
        if (framing.kind === 'length' && this.#requestBytes > framing.bytes) this.#breakRequest('length-mismatch');
        else if (this.#sink === undefined) (this.#early ??= new EarlyBody()).data(bytes);
        else if (!this.#sink.data(bytes)) this.stream.pause();
        break;
      }
      case 'judging':
        (this.#early ??= new EarlyBody()).data(bytes);
        break;
      case 'held':
        if (bytes.length > 0) this.#fail({ badRequestBody: 'unexpected-body' }, h2Error.protocol);
        break;
      default: // nobody wants it any more
    }
  }

  onEnd(): void {
    this.#quietMs = 0;
    this.#requestDone(noFields);
  }

  onReset(_code: H2ErrorCode): void {
    if (this.#phase === 'over') return;
    this.#sink?.abort();
    this.#finish('cut');
  }

  onDrain(): void {
    this.#quietMs = 0;
    this.isBlocked = false;
    if (this.#phase === 'forwarding') this.#sink?.resume();
    else if (this.#phase === 'flushing') this.#finish('complete');
  }

  informational(head: ResponseHead, headers: readonly HeaderField[]): void {
    this.#quietMs = 0;
    if (this.#phase === 'forwarding') this.sayInformational(head, headers);
  }

  head(head: ResponseHead, headers: readonly HeaderField[]): void {
    if (this.#phase !== 'forwarding') return;
    this.#quietMs = 0;
    this.noteGrpc(this.#admission?.takesGrpc);
    this.status = head.status;
    this.decisionId = decisionOf(headers);
    if (this.decisionId !== undefined) {
      this.answeredBy = 'agent';
      if (this.isGrpc && this.sayTranslated(head.status, headers)) {
        this.#sink?.abort(); // its content is not wanted
        return this.#answered();
      }
    }
    if (this.isGrpc && head.framing.kind !== 'chunked') this.grpcStatus = grpcStatusIn(headers); // "Trailers-Only"
    this.sayHead(head, headers, this.#head!.method);
  }

  data(bytes: Buffer): void {
    if (this.#phase !== 'forwarding' || bytes.length === 0) return;
    this.#quietMs = 0;
    if (!this.sayData(bytes)) this.#sink?.pause();
  }

  end(trailers: readonly HeaderField[]): void {
    if (this.#phase !== 'forwarding') return;
    if (this.isGrpc && trailers.length > 0) this.noteGrpcEnd(trailers);
    this.sayEnd(trailers);
    this.#answered();
  }

  upgraded(_head: ResponseHead, _headers: readonly HeaderField[], rest: { readonly pipe: Pipe }): void {
    rest.pipe.cut(); // nobody asks for one here
    this.failed({ badResponse: 'unexpected-upgrade' });
  }

  failed(problem: ExchangeProblem | { readonly unreachable: P }): void {
    this.#fail(problem, h2Error.internal);
  }

  onRequestDrain(): void {
    this.#quietMs = 0;
    this.stream.resume();
  }

  sweep(nowMs: number, elapsedMs: number): void {
    this.#quietMs = this.hasMoved() ? 0 : this.#quietMs + elapsedMs;
    const { stallMs } = this.#host.service.times;
    this.noteGrpc(this.#admission?.takesGrpc);
    // A gRPC stream may say nothing for hours: its session's life bounds it, unless bytes wait.
    const mayBeQuiet = this.takesGrpc && this.#phase === 'forwarding' && this.stream.unsentBytes === 0;
    if (nowMs >= this.#dueMs || (this.#quietMs >= stallMs && !mayBeQuiet)) this.#expire();
  }

  /** gRPC takes a status for the end of what has begun, others a reset. */
  reconsider(): void {
    if (this.#phase !== 'forwarding' && this.#phase !== 'held') return;
    const answer = this.#host.service.revoked?.(this.#head!);
    if (answer === undefined) return;
    this.#sink?.abort();
    this.decisionId = answer.decisionId;
    if (!this.headSent) return this.#answer(answer);
    if (!this.isGrpc) return this.#reset(h2Error.cancel);
    this.sayGrpcEnd(answer);
    this.#answered();
  }

  #begin(fields: readonly HeaderField[], end: boolean): void {
    this.#fields = fields;
    const { heads, service } = this.#host;
    const read = heads.read(fields, end ? 'with-head' : 'later');
    if (typeof read === 'string') return this.#refuse(read);
    this.startedMs = service.deadlines.nowMs();
    const { head, grpc } = read;
    this.#requestEnded = end;
    this.#head = head;
    if (grpc !== undefined) {
      this.isGrpc = true;
      if (!grpc.ok) return this.#answer(service.refused('bad-header-value'));
      if (grpc.timeoutMs !== Infinity) this.#dueMs = service.clock.monotonic() + grpc.timeoutMs;
    }
    this.#phase = 'judging';
    const admission = service.admit(head);
    if (!(admission instanceof Promise)) return this.#admitted(admission);
    this.stream.pause();
    void admission.then((judged) => {
      this.stream.resume();
      this.#admitted(judged);
    });
  }

  #admitted(admission: Admission<P>): void {
    if (admission.kind !== 'forward') {
      const answer = admission.kind === 'answer' ? admission.answer : problemAnswer(501, 'Not possible over HTTP/2');
      return this.#phase === 'judging' ? this.#answer(answer) : undefined;
    }
    this.#report = admission.report;
    this.#admission = admission;
    if (this.#phase !== 'judging') return this.#tellEnd('cut'); // the caller left meanwhile, or waited for too long
    if (this.#requestEnded || !isWithoutContent(this.#head!.method)) return this.#forward();
    this.#phase = 'held';
    const { clock, times } = this.#host.service;
    this.#dueMs = clock.monotonic() + times.headMs; // its end is the rest of its head
    if (this.#requestBytes > 0) this.#fail({ badRequestBody: 'unexpected-body' }, h2Error.protocol);
  }

  #forward(): void {
    this.#phase = 'forwarding';
    const { upstream, request } = this.#admission!;
    const sink = upstream.start(request, this);
    if (this.#phase !== 'forwarding') return sink.abort(); // answered at once; does nothing where it failed or is whole
    this.#sink = sink;
    if (this.isBlocked) sink.pause();
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined && !early.giveTo(sink)) this.stream.pause();
    if (this.#requestEnded) this.#endRequest(early?.trailers ?? noFields);
  }

  #requestDone(trailers: readonly HeaderField[]): void {
    if (this.#phase !== 'judging' && this.#phase !== 'held' && this.#phase !== 'forwarding') return;
    const { framing, method } = this.#head!;
    if (framing.kind === 'length' && this.#requestBytes !== framing.bytes) return this.#breakRequest('length-mismatch');
    if (this.#phase === 'judging' && this.#requestBytes > 0 && isWithoutContent(method)) return; // refused when judged
    this.#requestEnded = true;
    if (this.#phase === 'held') {
      this.#dueMs = Infinity;
      this.#forward();
    } else if (this.#sink !== undefined) this.#endRequest(trailers);
    else if (trailers.length > 0 && framing.kind !== 'none') (this.#early ??= new EarlyBody()).trailers = [...trailers];
  }

  #endRequest(trailers: readonly HeaderField[]): void {
    const { filterFields } = this.#admission!.request;
    this.#sink!.end(trailers.length === 0 ? trailers : filterFields(passableTrailers(trailers)));
  }

  /** Malformed after its head: its content is not as long as it said (RFC 9113, section 8.1.1), or its trailers are bad. */
  #breakRequest(badRequestBody: 'length-mismatch' | 'bad-trailer'): void {
    this.#sink?.abort();
    this.#report?.failed({ badRequestBody });
    this.#reset(h2Error.protocol);
  }

  #refuse(reason: HeadProblem): void {
    const answer = this.#host.service.refused(reason);
    if (isMalformed(reason)) this.#reset(h2Error.protocol);
    else this.#answer(answer);
  }

  #expire(): void {
    if (this.#phase === 'forwarding') {
      this.#sink?.abort();
      this.#fail('upstream-timeout', h2Error.cancel);
    } else if (this.#phase === 'held') this.#fail('downstream-timeout', h2Error.cancel);
    else if (this.#phase === 'judging') this.#answer(problemAnswer(504, 'The request could not be judged in time'));
    else this.#reset(h2Error.cancel);
  }

  #fail(problem: ExchangeProblem | { readonly unreachable: P }, code: H2ErrorCode): void {
    if (this.#phase !== 'forwarding' && this.#phase !== 'held') return;
    const report = this.#report!;
    const isUnreachable = typeof problem === 'object' && 'unreachable' in problem;
    const answer = isUnreachable ? report.unreachable(problem.unreachable) : report.failed(problem);
    this.decisionId = answer.decisionId;
    if (this.headSent) this.#reset(code);
    else this.#answer(answer);
  }

  #answer(answer: Answer): void {
    this.status = answer.status;
    this.answeredBy = 'us';
    this.sayOwn(answer, readerOf(this.#fields));
    this.#answered();
  }

  /** All of the answer has been said. */
  #answered(): void {
    // An early answer: the rest of the request is not wanted (RFC 9113, section 8.1). Overtakes nothing that waits.
    if (!this.#requestEnded) this.stream.reset(h2Error.none);
    if (this.stream.unsentBytes === 0) return this.#finish('complete');
    this.#phase = 'flushing';
    this.#sink = undefined;
  }

  #reset(code: H2ErrorCode): void {
    this.stream.reset(code);
    this.#finish('cut');
  }

  #finish(outcome: RequestEnd['outcome']): void {
    this.#phase = 'over';
    this.#sink = undefined;
    this.#early = undefined;
    this.#host.leave(this);
    this.#tellEnd(outcome);
  }

  #tellEnd(outcome: RequestEnd['outcome']): void {
    const report = this.#report;
    this.#report = undefined;
    report?.finished(this.summary(this.#admission!.request, outcome, this.#requestBytes));
  }
}
