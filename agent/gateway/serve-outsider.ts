import { serveH1 } from '#agent/http/h1-server.ts';
import { serveH2 } from '#agent/http/h2/h2-server.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { openHttpSession, outsiderRoom } from '#agent/protocol/open-http-session.ts';
import { serveDetected } from '#agent/protocol/serve-detected.ts';
import { GatewayHttp, type OutsideConnection } from './gateway-http.ts';
import type { GatewayParts } from './gateway-parts.ts';

/** Whose connection it is. */
export type Outsider = Omit<OutsideConnection, 'version'>;

/** Serves HTTP over TLS, by what ALPN has chosen; without ALPN HTTP/1.1. */
export function serveTls(
  pipe: Pipe,
  parts: GatewayParts,
  { alpn, ...outsider }: Outsider & { readonly alpn: string | false | null },
): HttpConnection {
  return alpn === 'h2' ? serveHttp2(pipe, parts, outsider) : serveHttp1(pipe, parts, outsider);
}

/** Serves HTTP by its first bytes. */
export function serveFound(pipe: Pipe, parts: GatewayParts, outsider: Outsider): HttpConnection {
  return serveDetected(pipe, {
    clock: parts.clock,
    firstMs: parts.times.firstMs,
    openOpaque: undefined,
    http: (caller) => serveHttp1(caller, parts, outsider),
    http2: (caller) => serveHttp2(caller, parts, outsider),
  });
}

function serveHttp1(pipe: Pipe, parts: GatewayParts, outsider: Outsider): HttpConnection {
  return serveH1(pipe, new GatewayHttp(parts, { ...outsider, version: 'http' }));
}

function serveHttp2(pipe: Pipe, parts: GatewayParts, outsider: Outsider): HttpConnection {
  const service = new GatewayHttp(parts, { ...outsider, version: 'http2' });
  const { limits, times, clock } = parts;
  const session = { limits, times, clock, room: outsiderRoom };
  return serveH2((handler) => openHttpSession(pipe, 'server', handler, session), service);
}
