import type { H2Stream } from '#agent/h2/types.ts';
import type { Answer } from '#agent/http/answers.ts';
import type { ResponseHead } from '#agent/http/head.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import type { Forwarded } from '#agent/http/message.ts';
import type { RequestEnd } from '#agent/http/service.ts';
import { grpcStatusIn, grpcStatusOf, grpcTrailers } from './grpc.ts';
import { agentAnswer, decisionOf, sendAnswer, type Reader } from './h2-answer.ts';
import { responseFields } from './h2-fields.ts';

/** What has been said to a caller on its stream so far. A stream's server is one; it says nothing twice. */
export class StreamAnswer {
  protected readonly stream: H2Stream;
  /** Said to the caller, or meant where gRPC says it otherwise; 0 so far. */
  protected status = 0;
  protected answeredBy: RequestEnd['answeredBy'] = 'app';
  protected decisionId: string | undefined;
  protected grpcStatus: number | undefined;
  /** When the request's head was whole. */
  protected startedMs = 0;
  protected headSent = false;
  protected isGrpc = false;
  protected takesGrpc = false;
  /** The window or the wire is full, and `onDrain` is due. */
  protected isBlocked = false;
  protected responseBytes = 0;
  /** An answer without content, held back until its end is known: it may take END_STREAM itself. */
  #pending: HeaderField[] | undefined;
  #unsentBytes = 0;

  constructor(stream: H2Stream) {
    this.stream = stream;
  }

  protected sayInformational(head: ResponseHead, headers: readonly HeaderField[]): void {
    if (head.status !== 101) this.stream.headers(responseFields(head, headers, ''), false);
  }

  protected sayHead(head: ResponseHead, headers: readonly HeaderField[], requestMethod: string): void {
    const fields = responseFields(head, headers, requestMethod);
    const { framing } = head;
    if (framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0)) this.#pending = fields;
    else {
      this.headSent = true;
      this.stream.headers(fields, false);
    }
  }

  /** False when it should pause: once until there is room again. */
  protected sayData(bytes: Buffer): boolean {
    if (this.#pending !== undefined) {
      this.headSent = true;
      this.stream.headers(this.#pending, false);
      this.#pending = undefined;
    }
    this.responseBytes += bytes.length;
    if (this.stream.data(bytes) || this.isBlocked) return true;
    this.isBlocked = true;
    return false;
  }

  protected sayEnd(trailers: readonly HeaderField[]): void {
    const fields = this.#pending;
    if (fields !== undefined) {
      this.#pending = undefined;
      this.stream.headers(fields, trailers.length === 0);
    }
    if (trailers.length > 0) this.stream.headers(trailers, true);
    else if (fields === undefined) this.stream.end();
    this.headSent = true;
  }

  /** An agent's answer to a gRPC call; true where it was a document, which was said in gRPC's way instead. */
  protected sayTranslated(status: number, headers: readonly HeaderField[]): boolean {
    const { status: meant, instead } = agentAnswer(status, headers);
    this.status = meant;
    if (instead !== undefined) this.sayOwn(instead, 'grpc');
    return instead !== undefined;
  }

  /** How the call ended that was answered: by the app, or by the agent beside it, which names a decision. */
  protected noteGrpcEnd(trailers: readonly HeaderField[]): void {
    this.grpcStatus = grpcStatusIn(trailers);
    this.decisionId = decisionOf(trailers) ?? this.decisionId;
  }

  /** A status of ours for the end of a gRPC call whose answer has begun. */
  protected sayGrpcEnd(answer: Answer): void {
    this.grpcStatus = grpcStatusOf(answer.status);
    this.sayEnd(grpcTrailers(answer));
  }

  /** An answer of ours, whole; only where no head was sent. */
  protected sayOwn(answer: Answer, reader: Reader): void {
    this.#pending = undefined;
    this.headSent = true;
    this.decisionId = answer.decisionId;
    if (reader === 'grpc') this.grpcStatus = grpcStatusOf(answer.status);
    sendAnswer(this.stream, answer, reader);
  }

  /** Only an app that speaks gRPC is waited for: any caller may say that it calls one. What it spoke once, holds. */
  protected noteGrpc(takesGrpc: (() => boolean) | undefined): void {
    this.takesGrpc ||= this.isGrpc && takesGrpc?.() !== false;
  }

  /** Whether some of what waited has gone since the last call. */
  protected hasMoved(): boolean {
    const { unsentBytes } = this.stream;
    const moved = unsentBytes < this.#unsentBytes;
    this.#unsentBytes = unsentBytes;
    return moved;
  }

  protected summary(request: Forwarded, outcome: RequestEnd['outcome'], requestBytes: number): RequestEnd {
    const { startedMs, status, answeredBy, decisionId, grpcStatus, responseBytes } = this;
    return { request, startedMs, status, answeredBy, decisionId, grpcStatus, outcome, requestBytes, responseBytes };
  }
}
