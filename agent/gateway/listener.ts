import { createServer, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Address, GatewayConfig, HttpsConfig, UpstreamConfig } from '#agent/config-types.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import type { OutboundParts } from '#agent/outbound/outbound-parts.ts';
import { Outlet } from '#agent/outbound/outlet.ts';
import { TcpPipe } from '#agent/pipe/tcp-pipe.ts';
import { TlsPipe } from '#agent/pipe/tls-pipe.ts';
import { turnAway } from '#agent/turn-away.ts';
import { clientAddress, clientKey } from '#agent/client-key.ts';
import type { OutsideCaller } from './forwarded-headers.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { createHttpsServer } from './https-server.ts';
import { RateLimiter } from './rate-limiter.ts';
import { RouteTable } from './route-table.ts';
import { serveFound, serveTls, type Outsider } from './serve-outsider.ts';
import { ServerCertificate } from './server-certificate.ts';

export interface GatewayListener {
  readonly https: Address | undefined;
  readonly http: Address | undefined;
  /** From outside, open now. */
  readonly connections: number;
  /** Accepts nothing new: idle connections end, the others after what they do. */
  drain(): void;
  destroy(): void;
}

/** Callers that have left, of which it is remembered how much they asked for. */
const maxIdleCallers = 65_536;

/**
 * Opens the doors for callers from outside the mesh. HTTPS first waits for its certificate, and follows its files until
 * the gateway is drained. `upstreams`: among them are those that the routes name. Faults: LISTEN_FAILED,
 * GATEWAY_CERTIFICATE_UNUSABLE.
 */
export async function openGateway(
  parts: OutboundParts & { readonly workers: number },
  config: GatewayConfig,
  upstreams: readonly UpstreamConfig[],
): Promise<GatewayListener> {
  const maxConnectionsPerCaller = Math.max(64, Math.ceil(parts.maxConnections / 4));
  const rates = new RateLimiter({ ...config.rateLimit, maxIdleCallers, maxConnectionsPerCaller });
  const gateway = new Gateway({ ...parts, rates, routes: createRoutes(parts, config, upstreams) });
  if (config.https) await gateway.openHttps(config.https);
  if (config.http) await gateway.openHttp(config.http.listen);
  return gateway;
}

function createRoutes(
  parts: OutboundParts,
  { routes }: GatewayConfig,
  upstreams: readonly UpstreamConfig[],
): RouteTable<Outlet> {
  const outlets = upstreams.map((upstream) => new Outlet(upstream, parts));
  parts.destinations.onUpdate(() => {
    for (const outlet of outlets) outlet.refresh();
  });
  return new RouteTable(
    routes.map((route) => {
      const to = outlets.find(({ config }) => config.workload === route.workload && config.port === route.port);
      if (to === undefined) throw new Error('a route without an upstream passed the configuration check');
      return { ...route, to };
    }),
  );
}

class Gateway implements GatewayListener {
  https: Address | undefined;
  http: Address | undefined;
  readonly #parts: GatewayParts;
  readonly #servers: Server[] = [];
  readonly #connections = new Map<Socket, HttpConnection>();
  readonly #drained = new AbortController();

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  get connections(): number {
    return this.#connections.size;
  }

  async openHttps(config: HttpsConfig): Promise<void> {
    const { clock, emit } = this.#parts;
    const { server, show } = createHttpsServer(this.#parts, {
      isFull: () => this.#isFull(),
      take: (socket) => this.#accept(socket, 'https'),
    });
    const certificate = new ServerCertificate({ config, clock, emit, onPair: show });
    await certificate.first(this.#drained.signal);
    certificate.follow(this.#drained.signal).catch(() => undefined); // it ends when the gateway is drained
    this.https = await this.#listen(server, config.listen);
  }

  async openHttp(address: Address): Promise<void> {
    const server = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.#accept(socket, 'http'),
    );
    this.http = await this.#listen(server, address);
  }

  drain(): void {
    this.#drained.abort();
    for (const server of this.#servers) server.close();
    for (const connection of [...this.#connections.values()]) connection.drain();
  }

  destroy(): void {
    this.#drained.abort();
    for (const server of this.#servers) server.close();
    for (const connection of [...this.#connections.values()]) connection.destroy();
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #listen(server: Server, address: Address): Promise<Address> {
    this.#servers.push(server);
    return this.#parts.listen(server, address);
  }

  #isFull(): boolean {
    return this.#connections.size >= this.#parts.maxConnections;
  }

  #accept(socket: Socket | TLSSocket, scheme: OutsideCaller['scheme']): void {
    if (this.#isFull()) return turnAway(socket, this.#parts.counters.gateway);
    const address = clientAddress(socket.remoteAddress);
    const rate = this.#parts.rates.enter(clientKey(address));
    if (rate === undefined) return turnAway(socket, this.#parts.counters.gateway);
    this.#connections.set(socket, this.#serve(socket, { caller: { address, scheme }, rate }));
    socket.once('close', () => {
      this.#connections.delete(socket);
      rate.leave();
    });
  }

  #serve(socket: Socket | TLSSocket, outsider: Outsider): HttpConnection {
    if (outsider.caller.scheme === 'http') return serveFound(new TcpPipe(socket), this.#parts, outsider);
    const secure = socket as TLSSocket; // the HTTPS server gives no other
    return serveTls(new TlsPipe(secure), this.#parts, { ...outsider, alpn: secure.alpnProtocol });
  }
}
