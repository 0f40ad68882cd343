import type { Address } from '#agent/config-types.ts';
import { dialBy, type Dial } from '#agent/http/dial.ts';
import { serveH1 } from '#agent/http/h1-server.ts';
import { serveH2 } from '#agent/http/h2/h2-server.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import { connectTcp } from '#agent/pipe/connect-tcp.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { createFarEnd, type OpenOpaque } from '#agent/protocol/far-end.ts';
import { serveDetected, type ProtocolServers } from '#agent/protocol/serve-detected.ts';
import { serveOpaque } from '#agent/protocol/serve-opaque.ts';
import { openHttpSession } from '#agent/protocol/open-http-session.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse } from '#runtime/result.ts';
import type { OutboundProblem } from './answers.ts';
import { UpstreamRoute } from './capture/upstreams.ts';
import { OutboundHttp } from './outbound-http.ts';
import type { OutboundParts } from './outbound-parts.ts';
import type { Outlet } from './outlet.ts';
import { OutboundReport } from './report.ts';
import type { Route } from './route.ts';

export interface AppServing {
  /** Decides for the requests of one connection. */
  readonly route: (version: 'http' | 'http2') => Route;
  /** Undefined where only HTTP is spoken. */
  readonly openOpaque: OpenOpaque | undefined;
}

/** Serves one connection of the app. */
export type ServeApp = (pipe: Pipe) => HttpConnection;

/** By what a connection's first bytes are. */
export function serveApp(parts: OutboundParts, { route, openOpaque }: AppServing): ServeApp {
  const servers: ProtocolServers = {
    clock: parts.clock,
    firstMs: parts.times.firstMs,
    openOpaque,
    http: (caller) => serveH1(caller, new OutboundHttp(parts, route('http'))),
    http2: (caller) =>
      serveH2((handler) => openHttpSession(caller, 'server', handler, parts), new OutboundHttp(parts, route('http2'))),
  };
  return (pipe) => serveDetected(pipe, servers);
}

/** To an upstream, as its port's protocol says. */
export function serveToOutlet(parts: OutboundParts, outlet: Outlet): ServeApp {
  const { protocol, port } = outlet.config;
  const openOpaque = openOpaqueBy(
    dialBy(() => outlet.open()),
    outlet.report,
    parts.clock,
  );
  if (protocol === 'tcp' || (protocol === 'auto' && parts.serverFirst.has(port))) {
    return (pipe) => serveOpaque(pipe, openOpaque);
  }
  const routes = { http: new UpstreamRoute(outlet, 'http'), http2: new UpstreamRoute(outlet, 'http2') };
  const route = (version: 'http' | 'http2'): Route => routes[version];
  return serveApp(parts, { route, openOpaque: protocol === 'auto' ? openOpaque : undefined });
}

/** Serves a connection of the app that goes past the mesh, unread. */
export function servePastTheMesh(pipe: Pipe, parts: OutboundParts, address: Address): HttpConnection {
  const { clock } = parts;
  const dial = dialBy((signal) => connectTcp(address, { clock, signal }));
  return serveOpaque(pipe, openOpaqueBy(dial, new OutboundReport(parts, { name: address.host }), clock));
}

function openOpaqueBy(dial: Dial<OutboundProblem>, report: OutboundReport, clock: Clock): OpenOpaque {
  return (onOpened) =>
    dial((opened) => {
      if (opened.ok) return onOpened(ok(createFarEnd(opened.value, report, { clock, letGoBy: 'cut' })));
      return onOpened(refuse({ tell: () => report.neverOpened(opened.reason) }));
    });
}
