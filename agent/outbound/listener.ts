import { createServer, type Server, type Socket } from 'node:net';
import type { Address, OutboundConfig, UpstreamConfig } from '#agent/config-types.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import { TcpPipe } from '#agent/pipe/tcp-pipe.ts';
import { turnAway } from '#agent/turn-away.ts';
import { HttpProxyRoute } from './capture/http-proxy.ts';
import type { OutboundParts } from './outbound-parts.ts';
import { Outlet } from './outlet.ts';
import { serveApp, serveToOutlet, type ServeApp } from './serve-app.ts';

export interface OutboundListener {
  /** Where the app finds each upstream that has a port of its own. */
  readonly upstreams: readonly { readonly upstream: UpstreamConfig; readonly address: Address }[];
  readonly httpProxy: Address | undefined;
  /** App connections that are open. */
  readonly connections: number;
  /** Accepts no new connection; idle ones end, the others after their request. */
  drain(): void;
  destroy(): void;
}

/** Opens every way by which the app can reach its upstreams. */
export async function openOutbound(parts: OutboundParts, config: OutboundConfig): Promise<OutboundListener> {
  const servers: Server[] = [];
  const connections = new Map<Socket, HttpConnection>();
  const outlets = new Map(config.upstreams.map((upstream) => [upstream, new Outlet(upstream, parts)]));
  parts.destinations.onUpdate(() => {
    for (const outlet of outlets.values()) outlet.refresh();
  });
  const open = (address: Address, serve: ServeApp): Promise<Address> => {
    const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      if (connections.size >= parts.maxConnections) return turnAway(socket, parts.counters.outbound);
      socket.on('close', () => connections.delete(socket));
      connections.set(socket, serve(new TcpPipe(socket)));
    });
    servers.push(server);
    return parts.listen(server, address);
  };
  const upstreams: { upstream: UpstreamConfig; address: Address }[] = [];
  for (const [upstream, outlet] of outlets) {
    if (!upstream.listen) continue;
    const address = await open(upstream.listen, serveToOutlet(parts, outlet));
    upstreams.push({ upstream, address });
  }
  const outletTo = (host: string, port: number): Outlet | undefined => {
    const upstream = parts.destinations.find(host, port);
    return upstream && outlets.get(upstream);
  };
  const proxyRoute = (version: 'http' | 'http2') =>
    new HttpProxyRoute(parts, { unknown: config.unknown, outletTo }, version);
  const httpProxy =
    config.httpProxy &&
    (await open(config.httpProxy.listen, serveApp(parts, { route: proxyRoute, openOpaque: undefined })));
  return {
    upstreams,
    httpProxy,
    get connections() {
      return connections.size;
    },
    drain() {
      for (const server of servers) server.close();
      for (const connection of [...connections.values()]) connection.drain();
    },
    destroy() {
      for (const connection of [...connections.values()]) connection.destroy();
      for (const socket of connections.keys()) socket.destroy();
    },
  };
}
