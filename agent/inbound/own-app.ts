import type { Forwarded, RequestSink, ResponseSink, Upstream } from '#agent/http/message.ts';
import { isForwardedUpgrade } from '#agent/http/request-text.ts';
import type { SpokenByApps } from './inbound-parts.ts';
import type { AppProblem } from './report.ts';

export interface OwnAppParts {
  readonly port: number;
  readonly spoken: SpokenByApps;
  /** Of this connection alone. */
  readonly http: Upstream<AppProblem>;
  readonly http2: () => Upstream<AppProblem>;
}

/**
 * An app of which nobody has said what it speaks, for one connection of a caller of HTTP/1.1: it is asked in HTTP/1.1, or
 * in HTTP/2 as soon as it is known to speak that. WebSockets there are in HTTP/1.1 only.
 */
export class OwnApp implements Upstream<AppProblem> {
  readonly #parts: OwnAppParts;

  constructor(parts: OwnAppParts) {
    this.#parts = parts;
  }

  start(request: Forwarded, response: ResponseSink<AppProblem>): RequestSink {
    const { spoken, port, http, http2 } = this.#parts;
    const isHttp2 = spoken.get(port) === 'http2' && !isForwardedUpgrade(request.head);
    return (isHttp2 ? http2() : http).start(request, response);
  }

  close(): void {
    this.#parts.http.close();
  }
}
