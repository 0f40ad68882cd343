import { createServer, type Server, type Socket } from 'node:net';
import type { Address, OutboundConfig, UpstreamConfig } from '#agent/config-types.ts';
import type { HttpConnection } from '#agent/http/serve.ts';
import { listen } from '#agent/listen.ts';
import { httpProxyRoute } from './capture/http-proxy.ts';
import { upstreamRoute } from './capture/upstreams.ts';
import { serveOutboundHttp, serveOutboundTcp, type OutboundParts } from './serve.ts';

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

const maxConnections = 20_000;

/** Opens every way by which the app can reach its upstreams. */
export async function openOutbound(parts: OutboundParts, config: OutboundConfig): Promise<OutboundListener> {
  const servers: Server[] = [];
  const connections = new Map<Socket, HttpConnection | undefined>();
  const open = (address: Address, serve: (socket: Socket) => HttpConnection | undefined): Promise<Address> => {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      connections.set(socket, undefined);
      socket.once('close', () => connections.delete(socket));
      connections.set(socket, serve(socket));
    });
    server.maxConnections = maxConnections;
    servers.push(server);
    return listen(server, address);
  };
  const upstreams: { upstream: UpstreamConfig; address: Address }[] = [];
  for (const upstream of config.upstreams) {
    if (!upstream.listen) continue;
    const address = await open(upstream.listen, (socket) => {
      if (upstream.protocol === 'http')
        return serveOutboundHttp(parts, socket, upstreamRoute(parts.destinations, upstream));
      void serveOutboundTcp(parts, socket, upstream);
      return undefined;
    });
    upstreams.push({ upstream, address });
  }
  const httpProxy =
    config.httpProxy &&
    (await open(config.httpProxy.listen, (socket) =>
      serveOutboundHttp(parts, socket, httpProxyRoute(parts, config.unknown, socket)),
    ));
  return {
    upstreams,
    httpProxy,
    get connections() {
      return connections.size;
    },
    drain() {
      for (const server of servers) server.close();
      for (const connection of connections.values()) connection?.drain();
    },
    destroy() {
      for (const socket of connections.keys()) socket.destroy();
    },
  };
}
