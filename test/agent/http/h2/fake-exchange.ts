import type { ExchangeProblem, Forwarded, RequestSink, ResponseSink, Upstream } from '#agent/http/message.ts';
import type { ResponseHead } from '#agent/http/head.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import { exchangeProblemAnswer, type Answer } from '#agent/http/answers.ts';
import { createDeadlines } from '#agent/http/deadlines.ts';
import type { Admission, HttpService, RequestEnd, RequestReport } from '#agent/http/service.ts';
import type { RequestHead } from '#agent/http/head.ts';
import { readRequestFields, readResponseFields } from '#agent/http/h2/h2-head.ts';
import { createFakeClock, type FakeClock } from '#support/fake-clock.ts';
import { fieldsOf } from './fields-of.ts';

export type Unreachable = 'no-stream' | 'refused' | 'no-session';

const linesOf = (fields: readonly HeaderField[]): string =>
  fields.map(({ name, value }) => `${name}: ${value}`).join('|');

/** An app without a wire: writes down what it is told, and the test answers by `response`. */
export class FakeUpstream implements Upstream<Unreachable>, RequestSink {
  readonly told: string[] = [];
  request!: Forwarded;
  response!: ResponseSink<Unreachable>;
  isFull = false;
  /** What it does before `start` returns. */
  atOnce: ((response: ResponseSink<Unreachable>) => void) | undefined;

  start(request: Forwarded, response: ResponseSink<Unreachable>): RequestSink {
    this.request = request;
    this.response = response;
    this.told.push(`start ${request.head.method} ${request.target}`);
    this.atOnce?.(response);
    return this;
  }
  close(): void {
    this.told.push('close');
  }
  data(bytes: Buffer): boolean {
    this.told.push(`data ${bytes.toString('latin1')}`);
    return !this.isFull;
  }
  end(trailers: readonly HeaderField[]): void {
    this.told.push(`end ${linesOf(trailers)}`.trimEnd());
  }
  abort(): void {
    this.told.push('abort');
  }
  pause(): void {
    this.told.push('pause');
  }
  resume(): void {
    this.told.push('resume');
  }

  /** The head of an answer, as it would come from HTTP/2 or, with `from: '1.1'`, from HTTP/1.1. */
  answer(text: string, ending: 'with-head' | 'later' = 'later', method = 'GET'): void {
    const head = readResponseFields(fieldsOf(text), ending, method);
    if (typeof head === 'string') throw new Error(head);
    this.response.head(
      head,
      head.headers.filter(({ name }) => name !== 'content-length'),
    );
  }
}

/** A caller without a wire: writes down the answer it gets. */
export class FakeCaller implements ResponseSink<Unreachable> {
  readonly heard: string[] = [];
  informational(head: ResponseHead, headers: readonly HeaderField[]): void {
    this.heard.push(`${head.status} ${linesOf(headers)}`);
  }
  head(head: ResponseHead, headers: readonly HeaderField[]): void {
    const { framing } = head;
    const size = framing.kind === 'length' ? ` ${framing.bytes}` : '';
    this.heard.push(`${head.status} ${framing.kind}${size} ${linesOf(headers)}`.trimEnd());
  }
  data(bytes: Buffer): void {
    this.heard.push(`data ${bytes.toString('latin1')}`);
  }
  end(trailers: readonly HeaderField[]): void {
    this.heard.push(`end ${linesOf(trailers)}`.trimEnd());
  }
  upgraded(): void {
    this.heard.push('upgraded');
  }
  failed(problem: ExchangeProblem | { readonly unreachable: Unreachable }): void {
    this.heard.push(`failed ${typeof problem === 'string' ? problem : Object.values(problem).join(' ')}`);
  }
  onRequestDrain(): void {
    this.heard.push('drain');
  }
}

const noReserved = (fields: readonly HeaderField[]): readonly HeaderField[] =>
  fields.filter(({ name }) => !name.startsWith('x-secret-'));

/** A request as an admission would forward it. Names that begin with `x-secret-` do not pass. */
export function forwardedOf(text: string, ending: 'with-head' | 'later' = 'with-head'): Forwarded {
  const head = readRequestFields(fieldsOf(text), ending, { maxBytes: 65_536, maxHeaders: 100 });
  if (typeof head === 'string') throw new Error(head);
  return forward(head);
}

function forward(head: RequestHead): Forwarded {
  const headers = head.headers.filter(({ name }) => name !== 'content-length' && name !== 'te');
  return { head, target: head.target, headers, filterFields: noReserved };
}

/** What a service was told and how its requests ended. */
export interface Stage {
  readonly clock: FakeClock;
  readonly service: HttpService<Unreachable>;
  readonly upstream: FakeUpstream;
  readonly ends: RequestEnd[];
  readonly notes: string[];
  admit: (head: RequestHead) => Admission<Unreachable> | Promise<Admission<Unreachable>>;
}

export function createStage(): Stage {
  const clock = createFakeClock(0);
  const upstream = new FakeUpstream();
  const ends: RequestEnd[] = [];
  const notes: string[] = [];
  const answer = (status: number, what: string): Answer => {
    notes.push(what);
    return { status, title: what, decisionId: 'd-1' };
  };
  const report: RequestReport<Unreachable> = {
    unreachable: (problem) => answer(503, `unreachable ${problem}`),
    failed: (problem) => answer(exchangeProblemAnswer(problem, '').status, `failed ${nameOf(problem)}`),
    finished: (end) => ends.push(end),
    upgraded: () => notes.push('upgraded'),
    upgradeEnded: () => notes.push('upgrade ended'),
  };
  const stage: Stage = {
    clock,
    upstream,
    ends,
    notes,
    admit: (head) => ({ kind: 'forward', request: forward(head), upstream, report }),
    service: {
      clock,
      deadlines: createDeadlines(clock),
      limits: { head: { maxBytes: 65_536, maxHeaders: 100 }, body: { maxTrailerBytes: 16_384, maxTrailers: 100 } },
      times: { headMs: 10_000, firstMs: 10_000, idleMs: 60_000, stallMs: 30_000 },
      admit: (head) => stage.admit(head),
      refused: (reason) => answer(reason === 'head-timeout' ? 408 : 400, `refused ${reason}`),
      closed: () => notes.push('closed'),
    },
  };
  return stage;
}

function nameOf(problem: ExchangeProblem): string {
  return typeof problem === 'string' ? problem : Object.values(problem).join(' ');
}
