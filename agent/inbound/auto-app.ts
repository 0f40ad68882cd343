import type { H2Session } from '#agent/h2/types.ts';
import type { SessionWaiter } from '#agent/http/h2/session-source.ts';
import type { Forwarded, RequestSink, ResponseSink, Upstream } from '#agent/http/message.ts';
import { WaitingRequest } from '#agent/http/waiting-request.ts';
import type { AppSessions } from './app-sessions.ts';
import type { SpokenByApps } from './inbound-parts.ts';
import type { AppProblem } from './report.ts';

export interface AutoAppParts {
  readonly port: number;
  readonly spoken: SpokenByApps;
  readonly sessions: AppSessions;
  readonly http: () => Upstream<AppProblem>;
  readonly http2: () => Upstream<AppProblem>;
}

/**
 * An app of which nobody has said what it speaks, for a caller of HTTP/2: a foreign one may have chosen that by ALPN and
 * knows nothing of the app. It is asked once, by the preface of HTTP/2, which no server of HTTP/1.1 takes for a request
 * that it could answer.
 */
export class AutoApp implements Upstream<AppProblem>, SessionWaiter<AppProblem> {
  readonly #parts: AutoAppParts;
  #waiting: WaitingRequest<AppProblem>[] = [];

  constructor(parts: AutoAppParts) {
    this.#parts = parts;
  }

  start(request: Forwarded, response: ResponseSink<AppProblem>): RequestSink {
    const { spoken, port, sessions } = this.#parts;
    const known = spoken.get(port);
    if (known !== undefined) return this.#parts[known]().start(request, response);
    const waiting = new WaitingRequest<AppProblem>(request, response);
    const isFirst = this.#waiting.push(waiting) === 1;
    const session = isFirst ? sessions.session(this) : undefined;
    if (session !== undefined) this.onSession(session);
    return waiting;
  }

  close(): void {
    // whoever made its parts closes them
  }

  onSession(_session: H2Session): void {
    this.#found('http2');
  }
  onUnreachable(problem: AppProblem): void {
    const { anotherProtocol } = this.#parts.sessions;
    if (anotherProtocol === 'certain') return this.#found('http');
    if (anotherProtocol === 'possible') return this.#begin('http'); // some servers just hang up; the next one is asked anew
    for (const waiting of this.#takeWaiting()) waiting.fail({ unreachable: problem });
  }

  #found(protocol: 'http' | 'http2'): void {
    this.#parts.spoken.set(this.#parts.port, protocol);
    this.#begin(protocol);
  }
  #begin(protocol: 'http' | 'http2'): void {
    const upstream = this.#parts[protocol]();
    for (const waiting of this.#takeWaiting()) {
      if (!waiting.isOver) waiting.begun(upstream.start(waiting.request, waiting.response));
    }
  }
  #takeWaiting(): WaitingRequest<AppProblem>[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}
