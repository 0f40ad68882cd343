import { noBytes } from '#agent/pipe/no-bytes.ts';
import { BodyReader, type BodyProblem } from './body.ts';
import { HeadGatherer } from './head-gatherer.ts';
import { isHttp2Settings } from './http2-settings.ts';
import { readResponseHead, type HeaderField, type HeadProblem, type ResponseHead } from './head.ts';
import { LastHead } from './last-head.ts';
import type { Forwarded } from './message.ts';
import type { MessageLimits } from './service.ts';
import { endToEndHeaders } from './write.ts';

/** What the next bytes of an answer come to. */
export type AnswerStep = 'more' | 'informational' | 'head' | 'data' | 'done' | 'refused';

/** An answer's head that may come again, and what it was an answer to. */
interface Answered {
  readonly head: ResponseHead;
  readonly headers: readonly HeaderField[];
  readonly method: string;
  readonly filterFields: Forwarded['filterFields'];
}

const noTrailers: readonly HeaderField[] = Object.freeze([]);

/** Reads answers, one after another, however their bytes are cut into pieces; walked through by `step`. */
export class AnswerReader {
  /** After `informational` and `head`, until the next answer begins. */
  head: ResponseHead | undefined;
  /** Its end-to-end headers that may pass. */
  headers: readonly HeaderField[] = noTrailers;
  /** After `refused`. */
  problem: HeadProblem | BodyProblem | 'protected-header-in-connection' | 'speaks-http2' = 'bad-status-line';
  /** The bytes in which `at` counts: those given, or all of a head that came in pieces. Not after `more` and `done`. */
  bytes: Buffer = noBytes;
  /** After `done`: how many bytes follow the answer. */
  excess = 0;
  /** Behind what was taken. */
  at = 0;
  readonly #limits: MessageLimits;
  readonly #gatherer = new HeadGatherer();
  readonly #last = new LastHead<Answered>();
  readonly #body: BodyReader;
  #place: 'head' | 'body' = 'head';
  #request: Forwarded | undefined;

  constructor(limits: MessageLimits) {
    this.#limits = limits;
    this.#body = new BodyReader(limits.body);
  }

  /** After `data`: a view of the bytes given. */
  get data(): Buffer {
    return this.#body.data;
  }
  /** After `done`: those that may pass. */
  get trailers(): readonly HeaderField[] {
    const { trailers } = this.#body;
    return trailers.length === 0 ? noTrailers : this.#request!.filterFields(trailers);
  }
  /** Nothing but the stream's end says that the answer is whole. */
  get endsWithStream(): boolean {
    return this.#place === 'body' && this.head!.framing.kind === 'until-close';
  }
  get remembers(): boolean {
    return this.#last.head !== undefined;
  }

  /** The answer to this request comes next. */
  begin(request: Forwarded): void {
    this.#request = request;
    this.#place = 'head';
  }

  /** What it keeps between answers. */
  forget(): void {
    this.#last.forget();
    this.#gatherer.clear();
    this.#request = undefined;
    this.head = undefined;
    this.headers = noTrailers;
  }

  step(bytes: Buffer, from: number): AnswerStep {
    this.bytes = bytes;
    const step = this.#place === 'head' ? this.#readHead(from) : this.#readBody(from);
    if (step === 'done') this.excess = bytes.length - this.at;
    if (step === 'done' || step === 'more') this.bytes = noBytes; // it would be kept alive as long as the connection
    return step;
  }

  #readBody(from: number): AnswerStep {
    const step = this.#body.step(this.bytes, from);
    this.at = this.#body.at;
    return step === 'data' || step === 'more' || step === 'done' ? step : this.#refuse(step);
  }

  #readHead(from: number): AnswerStep {
    if (!this.#gatherer.isEmpty) {
      const all = this.#gatherer.add(this.bytes);
      if (all === undefined) return 'more';
      this.bytes = all;
      return this.#parseHead(0);
    }
    const last = this.#last.isAt(this.bytes, from) ? this.#last.head : undefined;
    const { head, filterFields } = this.#request!;
    if (last === undefined || last.method !== head.method || last.filterFields !== filterFields) {
      return this.#parseHead(from);
    }
    this.at = from + this.#last.length;
    return this.#took(last.head, last.headers);
  }

  #parseHead(from: number): AnswerStep {
    if (from === this.bytes.length) return 'more';
    const { head: asked, filterFields } = this.#request!;
    const window = from === 0 ? this.bytes : this.bytes.subarray(from);
    const reading = readResponseHead(window, this.#limits.head, asked.method);
    if (reading.kind === 'incomplete') {
      this.#gatherer.keep(window);
      return 'more';
    }
    this.#gatherer.clear();
    if (reading.kind === 'refused') return this.#refuse(isHttp2Settings(window) ? 'speaks-http2' : reading.reason);
    const { head, end } = reading;
    const kept = endToEndHeaders(head.headers);
    if (!kept.ok) return this.#refuse(kept.reason);
    const headers = filterFields(kept.value);
    this.at = from + end;
    if (head.status >= 200) {
      this.#last.keep({ head, headers, method: asked.method, filterFields }, this.bytes, from, this.at);
    }
    return this.#took(head, headers);
  }

  #took(head: ResponseHead, headers: readonly HeaderField[]): AnswerStep {
    this.head = head;
    this.headers = headers;
    if (head.status < 200) return 'informational';
    this.#place = 'body';
    this.#body.begin(head.framing);
    return 'head';
  }

  #refuse(problem: AnswerReader['problem']): 'refused' {
    this.problem = problem;
    return 'refused';
  }
}
