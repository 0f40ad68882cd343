import { problemAnswer, exchangeProblemAnswer, exchangeProblemName, headProblemAnswer } from '#agent/http/answers.ts';
import { createDeadlines } from '#agent/http/deadlines.ts';
import { serveH1 } from '#agent/http/h1-server.ts';
import { createH1Upstream, type H1UpstreamOptions } from '#agent/http/h1-upstream.ts';
import type { RequestHead } from '#agent/http/head.ts';
import type { ExchangeProblem, Forwarded, Upstream } from '#agent/http/message.ts';
import { stripReserved } from '#agent/http/reserved.ts';
import type { Admission, HttpTimes, Later, RequestEnd, RequestReport } from '#agent/http/service.ts';
import { originForm } from '#agent/http/target.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import type { Pipe, PipeReader } from '#agent/pipe/pipe.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createMemoryPipes, type MemoryPipe, type MemoryPipeOptions } from '#support/memory-pipe.ts';

/** One end that a test plays by hand: what it got, and how that ended. */
export class Hand implements PipeReader {
  readonly pipe: MemoryPipe;
  ended: 'no' | 'end' | 'cut' = 'no';
  #got: Buffer[] = [];

  constructor(pipe: MemoryPipe) {
    this.pipe = pipe;
    pipe.reader = this;
    pipe.resume();
  }

  onBytes(bytes: Buffer): void {
    this.#got.push(Buffer.from(bytes));
  }
  onEnd(): void {
    this.ended = 'end';
  }
  onCut(): void {
    if (this.ended === 'no') this.ended = 'cut';
  }
  onDrain(): void {
    // tests write little
  }

  /** What arrived since the last call. */
  take(): string {
    return Buffer.concat(this.#got.splice(0)).toString('latin1');
  }
}

export const limits = {
  head: { maxBytes: 2_000, maxHeaders: 20 },
  body: { maxTrailerBytes: 1_000, maxTrailers: 10 },
};
export const times: HttpTimes = { firstMs: 60_000, headMs: 5_000, idleMs: 90_000, stallMs: 30_000 };

export interface StageOptions {
  readonly pipes?: MemoryPipeOptions;
  readonly upstream?: Partial<H1UpstreamOptions<'no-app'>>;
  /** The caller's pipe can hang up, and did. */
  readonly onHangUp?: () => void;
  /** Instead of passing everything on. */
  readonly admit?: (head: RequestHead, pass: () => Admission<'no-app'>) => Later<Admission<'no-app'>>;
}

/** A caller, our server, our upstream and an app, in this process; bytes move when the test says so. */
export function createStage(options: StageOptions = {}) {
  const clock = createFakeClock(1_800_000_000_000);
  const deadlines = createDeadlines(clock);
  const links = [createMemoryPipes({ delivery: 'manual', ...options.pipes })];
  const { onHangUp } = options;
  if (onHangUp !== undefined) {
    const pipe = links[0]!.b;
    pipe.hangUp = () => {
      onHangUp();
      pipe.end();
    };
  }
  const apps: Hand[] = [];
  const log: string[] = [];
  const ends: RequestEnd[] = [];
  let dials: ((result: Result<Pipe, 'no-app'>) => void)[] | undefined;
  let isDown = false;

  const connect = (): Result<Pipe, 'no-app'> => {
    if (isDown) return refuse('no-app');
    const link = createMemoryPipes({ delivery: 'manual', ...options.pipes });
    links.push(link);
    apps.push(new Hand(link.b));
    return ok(link.a);
  };
  const upstream = createH1Upstream<'no-app'>(
    (onDialed) => {
      log.push('dial');
      if (dials) dials.push(onDialed);
      else onDialed(connect());
      return () => void log.push('dial stopped');
    },
    {
      limits,
      deadlines,
      maxConnections: 1,
      queue: { maxRequests: 10, maxMs: 10_000, problem: 'no-app' },
      ...options.upstream,
    },
  );

  const report: RequestReport<'no-app'> = {
    unreachable: (problem) => problemAnswer(503, `unreachable ${problem}`),
    failed(problem: ExchangeProblem) {
      log.push(exchangeProblemName(problem));
      return exchangeProblemAnswer(problem, 'd-1');
    },
    finished: (end) => void ends.push(end),
    upgraded: () => void log.push('upgraded'),
    upgradeEnded: ({ outcome }) => void log.push(`upgrade ${outcome}`),
  };
  const pass = (head: RequestHead, to: Upstream<'no-app'> = upstream): Admission<'no-app'> => {
    if (head.form === 'authority') return { kind: 'answer', answer: headProblemAnswer('bad-target', 'd-2') };
    const headers = endToEndHeaders(head.headers);
    if (!headers.ok) return { kind: 'answer', answer: headProblemAnswer(headers.reason, 'd-2') };
    const request: Forwarded = {
      head,
      target: originForm(head),
      headers: stripReserved(headers.value),
      filterFields: stripReserved,
    };
    return { kind: 'forward', request, upstream: to, report };
  };
  const connection = serveH1<'no-app'>(links[0]!.b, {
    clock,
    deadlines,
    limits,
    times,
    admit: (head) => (options.admit ? options.admit(head, () => pass(head)) : pass(head)),
    refused(reason) {
      log.push(`refused ${reason}`);
      return headProblemAnswer(reason, 'd-3');
    },
    closed() {
      log.push('closed');
      upstream.close();
    },
  });
  const caller = new Hand(links[0]!.a);

  const stage = {
    clock,
    caller,
    apps,
    connection,
    upstream,
    log,
    ends,
    /** The connection to the app that was made last. */
    get app(): Hand {
      return apps.at(-1)!;
    },
    /** Moves all that can move. */
    deliver(): void {
      for (let round = 0; round < 100; round += 1) for (const link of links) link.deliver();
    },
    /** The caller says something, and it arrives. */
    ask(text: string): void {
      caller.pipe.write(Buffer.from(text, 'latin1'));
      stage.deliver();
    },
    /** The app says something, and it arrives. */
    answer(text: string): void {
      stage.app.pipe.write(Buffer.from(text, 'latin1'));
      stage.deliver();
    },
    async wait(ms: number): Promise<void> {
      for (let left = ms; left >= 0; left -= 500) {
        await clock.advance(Math.min(left, 500));
        stage.deliver();
      }
    },
    /** From here on connections come when `connected` says so. */
    holdDials(): void {
      dials = [];
    },
    connected(): void {
      dials?.shift()?.(connect());
      stage.deliver();
    },
    appIsDown(): void {
      isDown = true;
    },
  };
  return stage;
}

export const get = (path = '/', more = ''): string => `GET ${path} HTTP/1.1\r\nHost: prices\r\n${more}\r\n`;
export const okay = (body = 'fine', more = ''): string =>
  `HTTP/1.1 200 OK\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

/** Does nothing about anything; for tests that listen to one thing. */
export const quiet: PipeReader = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onCut: () => undefined,
  onDrain: () => undefined,
};
