import type { InboundPortConfig } from '#agent/config-types.ts';
import { defaultQueue } from '#agent/defaults.ts';
import { serveH1 } from '#agent/http/h1-server.ts';
import { dialBy, type Dial } from '#agent/http/dial.ts';
import { createH1Upstream, type H1Upstream } from '#agent/http/h1-upstream.ts';
import { serveH2 } from '#agent/http/h2/h2-server.ts';
import { createH2Upstream } from '#agent/http/h2/h2-upstream.ts';
import type { Answer } from '#agent/http/answers.ts';
import type { Upstream } from '#agent/http/message.ts';
import type { HttpConnection, HttpService } from '#agent/http/service.ts';
import { connectTcp } from '#agent/pipe/connect-tcp.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { openHttpSession, outsiderRoom } from '#agent/protocol/open-http-session.ts';
import { serveDetected } from '#agent/protocol/serve-detected.ts';
import { serveOpaque } from '#agent/protocol/serve-opaque.ts';
import { unreachable } from '#runtime/result.ts';
import { AppSessions } from './app-sessions.ts';
import { AutoApp } from './auto-app.ts';
import type { CallerParts, InboundParts, Proof } from './inbound-parts.ts';
import { NamedPortHttp } from './named-port-http.ts';
import { openOpaqueApp, type OnOpened } from './opaque-app.ts';
import { OwnApp } from './own-app.ts';
import type { PeerShare } from './peer-shares.ts';
import { PortHttp } from './port-http.ts';
import { createInboundReport } from './plaintext-report.ts';
import type { AppProblem } from './report.ts';

export type { Proof } from './inbound-parts.ts';

/** Why a stream is refused before its port is asked. `bad-target`: it was over before it began. */
export type StreamRefusal = 'bad-target' | 'no-such-port' | 'peer-svid-expired';

/** One connection of a caller, a tunnel session or one to a port alone, with all that is open to the app on its behalf. */
export interface InboundCaller {
  /** Judges ordinary HTTP/2 requests beside CONNECT: for the port that `x-eastwest-port` names, else the first HTTP port. */
  readonly http2: HttpService<AppProblem>;
  /** Serves bytes for a port as its protocol says; makes itself the pipe's reader. */
  serve(pipe: Pipe, port: InboundPortConfig): HttpConnection;
  /**
   * Opens the app's opaque port before the caller is told; calls back once, at once or later, unless the function it
   * gives was called first.
   */
  openOpaque(port: InboundPortConfig, onOpened: OnOpened): () => void;
  /** Counts and logs a stream to that port that does not come to be one; gives what the peer is told. */
  refuse(reason: StreamRefusal, port: number): Answer;
  /** Nothing is read before the far end is open: the port is declared so, or known for servers that speak first. */
  isOpaque(port: InboundPortConfig): boolean;
  /** The connection is over: what is kept open to the app is let go. */
  close(): void;
}

export function createInboundCaller(parts: InboundParts, proof: Proof): InboundCaller {
  return new Caller(parts, proof);
}

/** For an HTTP/2 caller of an app that speaks HTTP/1.1: so many of its requests are there at once, the others wait. */
const maxAppConnections = 256;
const queue = { ...defaultQueue, problem: 'too-many-requests' } as const;

class Caller implements InboundCaller {
  readonly http2: HttpService<AppProblem>;
  readonly #parts: CallerParts;
  readonly #share: PeerShare;
  readonly #proof: Proof;
  /** Shared by this caller's streams, by port. */
  readonly #http1Apps = new Map<InboundPortConfig, H1Upstream<AppProblem>>();
  readonly #http2Apps = new Map<InboundPortConfig, H2App>();

  constructor(inbound: InboundParts, proof: Proof) {
    const share = inbound.shares.of(proof.peer);
    const parts = { ...inbound, inFlight: share.requests, streams: share.streams };
    this.#share = share;
    this.#parts = parts;
    this.#proof = proof;
    const { ports } = parts;
    this.http2 = new NamedPortHttp(parts, proof, {
      serviceOf: (port) => this.#serviceOf(port),
      portOf: (port) => ports.get(port),
      first: [...ports.values()].find((port) => !this.isOpaque(port)),
      onClosed: () => undefined,
    });
  }

  isOpaque({ port, protocol }: InboundPortConfig): boolean {
    return protocol === 'tcp' || (protocol === 'auto' && this.#parts.serverFirst.has(port));
  }

  serve(pipe: Pipe, port: InboundPortConfig): HttpConnection {
    const parts = this.#parts;
    const session = this.#proof.peer.spiffeId === undefined ? { ...parts, room: outsiderRoom } : parts;
    const openOpaque = (onOpened: OnOpened) => this.openOpaque(port, onOpened);
    if (this.isOpaque(port)) return serveOpaque(pipe, openOpaque);
    return serveDetected(pipe, {
      clock: parts.clock,
      firstMs: parts.times.firstMs,
      openOpaque: port.protocol === 'auto' && !parts.answeringHttp.has(port.port) ? openOpaque : undefined,
      http: (caller) => serveH1(caller, this.#ownService(port)),
      http2: (caller) =>
        serveH2((handler) => openHttpSession(caller, 'server', handler, session), this.#serviceOf(port)),
    });
  }

  openOpaque(port: InboundPortConfig, onOpened: OnOpened): () => void {
    const order = { port, speaks: this.isOpaque(port) ? 'bytes' : 'perhaps-http', onOpened } as const;
    return openOpaqueApp(order, this.#parts, this.#proof);
  }

  refuse(reason: StreamRefusal, port: number): Answer {
    const report = createInboundReport(this.#parts, this.#proof.peer, port);
    report.begun();
    switch (reason) {
      case 'bad-target':
        return report.refused(reason, 'opaque');
      case 'no-such-port':
        return report.noSuchPort('opaque');
      case 'peer-svid-expired':
        return report.denied({ reason }, 'opaque');
      default:
        return unreachable(reason);
    }
  }

  close(): void {
    this.#share.leave();
    for (const app of this.#http1Apps.values()) app.close();
    for (const { sessions } of this.#http2Apps.values()) sessions.close();
  }

  /** For an HTTP/1.1 caller: a connection to the app of its own, so that nobody else's bytes are ever on it. */
  #ownService(port: InboundPortConfig): PortHttp {
    this.#notePeer(port);
    if (port.protocol === 'http2') {
      return new PortHttp(this.#parts, this.#proof, {
        port,
        upstream: this.#http2App(port).upstream,
        onClosed: () => undefined,
      });
    }
    const http = this.#h1Upstream(port, 1);
    const { spoken } = this.#parts;
    const http2 = (): Upstream<AppProblem> => this.#http2App(port).upstream;
    const upstream = port.protocol === 'auto' ? new OwnApp({ port: port.port, spoken, http, http2 }) : http;
    return new PortHttp(this.#parts, this.#proof, { port, upstream, onClosed: () => upstream.close() });
  }

  /** For an HTTP/2 caller. */
  #serviceOf(port: InboundPortConfig): PortHttp {
    this.#notePeer(port);
    const upstream = this.#appOf(port);
    const { spoken } = this.#parts;
    const takesGrpc = (): boolean => (port.protocol === 'auto' ? spoken.get(port.port) : port.protocol) === 'http2';
    return new PortHttp(this.#parts, this.#proof, { port, upstream, takesGrpc, onClosed: () => undefined });
  }

  /** Who needs no plaintext: once for what is opened, not for each request. */
  #notePeer({ port }: InboundPortConfig): void {
    const { spiffeId } = this.#proof.peer;
    if (spiffeId !== undefined) this.#parts.ledger.peer(port, spiffeId);
  }

  #appOf(port: InboundPortConfig): Upstream<AppProblem> {
    if (port.protocol === 'http') return this.#http1App(port);
    const { upstream, sessions } = this.#http2App(port);
    if (port.protocol === 'http2') return upstream;
    const { spoken } = this.#parts;
    return new AutoApp({ port: port.port, spoken, sessions, http: () => this.#http1App(port), http2: () => upstream });
  }

  #http1App(port: InboundPortConfig): H1Upstream<AppProblem> {
    let app = this.#http1Apps.get(port);
    if (app === undefined) {
      app = this.#h1Upstream(port, maxAppConnections);
      this.#http1Apps.set(port, app);
    }
    return app;
  }

  #h1Upstream(port: InboundPortConfig, maxConnections: number): H1Upstream<AppProblem> {
    const { spoken } = this.#parts;
    const onHttp2 = (): void => void spoken.set(port.port, 'http2');
    return createH1Upstream(this.#dial(port), { ...this.#parts, maxConnections, queue, onHttp2 });
  }

  #http2App(port: InboundPortConfig): H2App {
    let app = this.#http2Apps.get(port);
    if (app === undefined) {
      const onAnotherProtocol = (): void => void this.#parts.spoken.delete(port.port);
      const sessions = new AppSessions(this.#dial(port), { ...this.#parts, queue, onAnotherProtocol });
      app = { sessions, upstream: h2Upstream(sessions, this.#parts) };
      this.#http2Apps.set(port, app);
    }
    return app;
  }

  #dial({ app, port }: InboundPortConfig): Dial<AppProblem> {
    const { clock, spoken, answeringHttp } = this.#parts;
    const dial = dialBy((signal) => connectTcp(app, { clock, signal }));
    return (onDialed) =>
      dial((dialed) => {
        if (!dialed.ok) {
          spoken.delete(port); // another one may come up
          answeringHttp.delete(port);
        }
        onDialed(dialed);
      });
  }
}

interface H2App {
  readonly sessions: AppSessions;
  readonly upstream: Upstream<AppProblem>;
}

function h2Upstream(source: AppSessions, { deadlines }: InboundParts): Upstream<AppProblem> {
  return createH2Upstream<AppProblem>({
    source,
    deadlines,
    queue,
    problems: { noStream: queue.problem, refused: 'app-unreachable' },
    scheme: 'http',
    extraFields: [],
  });
}
