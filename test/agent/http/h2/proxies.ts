import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { createH2Session } from '#agent/h2/session.ts';
import { defaultH2Times } from '#agent/h2/session-options.ts';
import type { H2Session, H2SessionHandler, H2Settings } from '#agent/h2/types.ts';
import { exchangeProblemAnswer, headProblemAnswer } from '#agent/http/answers.ts';
import { createDeadlines } from '#agent/http/deadlines.ts';
import { dialBy } from '#agent/http/dial.ts';
import { serveH1 } from '#agent/http/h1-server.ts';
import { createH1Upstream } from '#agent/http/h1-upstream.ts';
import { createH2Upstream } from '#agent/http/h2/h2-upstream.ts';
import type { SessionSource, SessionWaiter } from '#agent/http/h2/session-source.ts';
import { serveH2 } from '#agent/http/h2/h2-server.ts';
import type { RequestHead } from '#agent/http/head.ts';
import { headerField, type HeaderField } from '#agent/http/header-field.ts';
import type { ExchangeProblem, Upstream } from '#agent/http/message.ts';
import { stripReserved } from '#agent/http/reserved.ts';
import type { Admission, HttpConnection, HttpService, RequestEnd } from '#agent/http/service.ts';
import { endToEndHeaders } from '#agent/http/write.ts';
import { connectTcp } from '#agent/pipe/connect-tcp.ts';
import { TcpPipe } from '#agent/pipe/tcp-pipe.ts';
import { systemClock } from '#runtime/system-clock.ts';

export type Protocol = 'h1' | 'h2';
export type Unreached = 'app-unreachable' | 'no-stream' | 'refused';

export interface ProxyOptions {
  readonly from: Protocol;
  readonly to: Protocol;
  /** On loopback. */
  readonly appPort: number;
  /** Refuses instead of forwarding. */
  readonly deny?: (head: RequestHead) => number | undefined;
  /** `inbound` removes names of ours from answers, `outbound` passes them. */
  readonly side?: 'inbound' | 'outbound';
  readonly windowBytes?: number;
  readonly maxStreams?: number;
  readonly stallMs?: number;
}

export interface Proxy extends AsyncDisposable {
  readonly port: number;
  readonly ends: RequestEnd[];
  readonly notes: string[];
  readonly connections: Set<HttpConnection>;
  /** Sessions to the app that were opened so far. */
  readonly sessions: H2Session[];
}

const limits = { head: { maxBytes: 65_536, maxHeaders: 200 }, body: { maxTrailerBytes: 16_384, maxTrailers: 100 } };

/** One agent's half without TLS: reads requests in one version of HTTP and forwards them in one. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const deadlines = createDeadlines(systemClock);
  const settings: H2Settings = {
    windowBytes: options.windowBytes ?? 1_048_576,
    sessionWindowBytes: 16_777_216,
    maxStreams: options.maxStreams ?? 200,
    maxHeaderListBytes: 65_536,
    maxHeaders: 200,
    connect: 'allow',
    unreadCeilingBytes: 33_554_432,
  };
  const proxy = { ends: [] as RequestEnd[], notes: [] as string[], connections: new Set<HttpConnection>() };
  const source = new OneSession(options.appPort, settings);
  const upstream: Upstream<Unreached> =
    options.to === 'h2'
      ? createH2Upstream<Unreached>({
          scheme: 'http',
          extraFields: [],
          source,
          deadlines,
          queue: { maxRequests: 100, maxMs: 5_000 },
          problems: { noStream: 'no-stream', refused: 'refused' },
        })
      : createH1Upstream<Unreached>(
          dialBy((signal) => connectTcp(loopback(options.appPort), { clock: systemClock, signal })),
          { limits, deadlines, maxConnections: 100, queue: { maxRequests: 100, maxMs: 5_000, problem: 'no-stream' } },
        );
  const answer = (status: number, what: string) => {
    proxy.notes.push(what);
    return { status, title: what, decisionId: 'd-1' };
  };
  const filterFields =
    options.side === 'outbound' ? (fields: readonly HeaderField[]): readonly HeaderField[] => fields : stripReserved;
  const admit = (head: RequestHead): Admission<Unreached> => {
    const status = options.deny?.(head);
    if (status !== undefined) return { kind: 'answer', answer: answer(status, 'denied') };
    const headers = endToEndHeaders(head.headers);
    if (!headers.ok) return { kind: 'answer', answer: answer(400, headers.reason) };
    const request = {
      head,
      target: head.target,
      headers: [...stripReserved(headers.value), identity],
      filterFields,
    };
    return { kind: 'forward', request, upstream, report };
  };
  const report = {
    unreachable: (problem: Unreached) => answer(503, `unreachable ${problem}`),
    failed: (problem: ExchangeProblem) => answer(exchangeProblemAnswer(problem, '').status, JSON.stringify(problem)),
    finished: (end: RequestEnd) => void proxy.ends.push(end),
    upgraded: () => undefined,
    upgradeEnded: () => undefined,
  };
  const service: HttpService<Unreached> = {
    clock: systemClock,
    deadlines,
    limits,
    times: { headMs: 5_000, firstMs: 5_000, idleMs: 60_000, stallMs: options.stallMs ?? 10_000 },
    admit,
    refused: (reason) => headProblemAnswer(reason, 'd-1'),
    closed: () => undefined,
  };
  const serve = (socket: Socket): HttpConnection => {
    const pipe = new TcpPipe(socket);
    if (options.from === 'h1') return serveH1(pipe, service);
    const open = (handler: H2SessionHandler): H2Session =>
      createH2Session({ role: 'server', pipe, settings, times: defaultH2Times, clock: systemClock, handler });
    return serveH2(open, service);
  };
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = serve(socket);
    proxy.connections.add(connection);
    socket.once('close', () => proxy.connections.delete(connection));
  });
  const port = await listenOnLoopback(server);
  return {
    ...proxy,
    port,
    sessions: source.sessions,
    async [Symbol.asyncDispose]() {
      for (const connection of proxy.connections) connection.destroy();
      upstream.close();
      source.close();
      deadlines.stop();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

const identity = headerField('x-mesh-identity', 'spiffe://prod.example/shop');

/** Keeps one session to the app, and opens another when it takes no more streams. */
class OneSession implements SessionSource<Unreached>, H2SessionHandler {
  readonly sessions: H2Session[] = [];
  readonly #port: number;
  readonly #settings: H2Settings;
  readonly #waiters = new Set<SessionWaiter<Unreached>>();
  #current: H2Session | undefined;
  #isOpening = false;

  constructor(port: number, settings: H2Settings) {
    this.#port = port;
    this.#settings = settings;
  }

  session(waiter: SessionWaiter<Unreached>): H2Session | undefined {
    if (this.#current?.takesStreams) return this.#current;
    this.#waiters.add(waiter);
    if (!this.#isOpening) void this.#open();
    return undefined;
  }

  forget(waiter: SessionWaiter<Unreached>): void {
    this.#waiters.delete(waiter);
  }

  close(): void {
    for (const session of this.sessions) session.destroy(0);
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    const dialed = await connectTcp(loopback(this.#port), { clock: systemClock });
    if (!dialed.ok) {
      this.#isOpening = false;
      return this.#tell((waiter) => waiter.onUnreachable('app-unreachable'));
    }
    this.#current = createH2Session({
      role: 'client',
      pipe: dialed.value,
      settings: this.#settings,
      times: defaultH2Times,
      clock: systemClock,
      handler: this,
    });
    this.sessions.push(this.#current);
  }

  onStream(): void {
    throw new Error('servers open no streams here');
  }
  onReady(): void {
    this.#isOpening = false;
    const session = this.#current!;
    this.#tell((waiter) => waiter.onSession(session));
  }
  onGoaway(): void {
    // `takesStreams` says so
  }
  onClosed(): void {
    if (!this.#isOpening) return;
    this.#isOpening = false;
    this.#tell((waiter) => waiter.onUnreachable('app-unreachable'));
  }

  #tell(what: (waiter: SessionWaiter<Unreached>) => void): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) what(waiter);
  }
}

function loopback(port: number): { host: string; port: number } {
  return { host: '127.0.0.1', port };
}

export async function listenOnLoopback(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** What a raw HTTP/1.1 caller gets until the connection ends. */
export async function rawCall(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.setEncoding('latin1');
  socket.on('data', (more: string) => (heard += more));
  socket.write(text, 'latin1');
  await new Promise((resolve) => void socket.once('close', resolve));
  return heard;
}
