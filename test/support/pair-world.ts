import { createServer, request, type Agent as HttpAgent, type IncomingMessage, type RequestListener } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import type { InboundPortConfig, LimitsConfig, UpstreamConfig } from '#agent/config-types.ts';
import type { Clock } from '#runtime/clock.ts';
import { startCalling, startServing, type CallerOptions, type CallingAgent, type ServingAgent } from './agent-pair.ts';
import type { TestDomain } from './identities.ts';

/** Of an upstream that says nothing about them. */
export const upstreamDefaults = { connectTimeoutMs: 2_000, timeoutMs: undefined, maxRequests: 10_000 } as const;

const local = { host: '127.0.0.1', port: 0 };

export interface PairOptions extends Partial<InboundPortConfig> {
  readonly transport?: 'tunnel' | 'mtls';
  readonly lifeMs?: number;
  readonly whenExpired?: 'keep' | 'end';
  readonly capture?: 'upstream' | 'http-proxy';
  readonly unknown?: 'refuse' | 'passthrough';
  /** Of prices' side. */
  readonly limits?: Partial<LimitsConfig>;
  /** Of cart's. */
  readonly callerLimits?: Partial<LimitsConfig>;
  readonly upstream?: Partial<UpstreamConfig>;
  /** Of tokens, that cart asks. */
  readonly issuers?: CallerOptions['issuers'];
  /** Of both sides; real time where not given. */
  readonly clock?: Clock;
}

export interface Pair {
  readonly cart: CallingAgent;
  readonly prices: ServingAgent;
  /** Where cart's app reaches prices: the upstream's port, or the HTTP proxy's. */
  readonly port: number;
}

/** Apps and agents of one test, in this process on real sockets; disposing of it ends them all. */
export class PairWorld {
  readonly domain: TestDomain;
  readonly #cleanups: (() => void)[] = [];

  constructor(domain: TestDomain) {
    this.domain = domain;
  }

  onEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  [Symbol.dispose](): void {
    for (const cleanup of this.#cleanups.splice(0).reverse()) cleanup();
  }

  /** An HTTP app; resolves with its port. */
  async httpApp(handler: RequestListener): Promise<number> {
    const server = createServer(handler);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.onEnd(() => {
      server.close();
      server.closeAllConnections();
    });
    return (server.address() as AddressInfo).port;
  }

  /** A raw TCP app; resolves with its port. */
  async tcpApp(serve: (socket: Socket) => void): Promise<number> {
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined); // what an agent cuts, it resets
      serve(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.onEnd(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  /** The workloads cart → prices, whose app listens on `appPort`. */
  async pair(appPort: number, options: PairOptions = {}): Promise<Pair> {
    const { transport = 'tunnel', lifeMs = 60_000, whenExpired = 'keep', capture = 'upstream', ...others } = options;
    const { unknown = 'refuse', limits, callerLimits, clock, issuers, upstream: upstreamChanges, ...changes } = others;
    const port: InboundPortConfig = {
      port: 7002,
      app: { host: '127.0.0.1', port: appPort },
      protocol: 'http',
      allow: [this.domain.spiffeId('cart')],
      listen: undefined,
      mode: 'STRICT',
      ...changes,
    };
    const prices = await startServing(this.domain, 'prices', { ports: [port], lifeMs, whenExpired, limits, clock });
    const upstream: UpstreamConfig = {
      workload: 'prices',
      port: port.port,
      listen: local,
      protocol: port.protocol,
      spiffeId: this.domain.spiffeId('prices'),
      endpoints: [prices.inbound.address],
      transport,
      ...upstreamDefaults,
      ...upstreamChanges,
    };
    const calling = { lifeMs, whenExpired, capture, unknown, limits: callerLimits, clock, issuers };
    const cart = await this.calling([upstream], calling);
    this.onEnd(() => {
      prices.inbound.drain();
      prices.inbound.destroy();
    });
    const proxy = cart.outbound.httpProxy;
    return { cart, prices, port: capture === 'http-proxy' && proxy ? proxy.port : cart.upstream.port };
  }

  async calling(
    upstreams: readonly UpstreamConfig[],
    { as = 'cart', ...options }: Omit<Parameters<typeof startCalling>[2], 'upstreams'> & { readonly as?: string } = {},
  ): Promise<CallingAgent> {
    const cart = await startCalling(this.domain, as, { ...options, upstreams });
    this.onEnd(() => {
      cart.outbound.drain();
      cart.outbound.destroy();
      cart.pool.destroyAll();
    });
    return cart;
  }
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly agent?: HttpAgent;
}

/** Sends one request as an app would; rejects when the answer is broken. */
export function send(
  port: number,
  { method = 'GET', path = '/', headers = {}, body, agent }: Sent = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, ...(agent && { agent }) }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(pieces).toString(),
        }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Sends bytes as they are and resolves with all that came back until the connection's end. */
export function sendRaw(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(bytes));
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}
