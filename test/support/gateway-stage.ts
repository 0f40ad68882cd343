import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { request, type RequestOptions } from 'node:https';
import { connect as connectTls } from 'node:tls';
import type { GatewayRouteConfig, HttpsConfig, RateConfig, UpstreamConfig } from '#agent/config-types.ts';
import { openGateway, type GatewayListener } from '#agent/gateway/listener.ts';
import { createCaller, startServing, type CallerOptions, type HalfAgent, type ServingAgent } from './agent-pair.ts';
import { createIdentityFolder, type IdentityFolder } from './identity-folder.ts';
import { upstreamDefaults, type PairWorld, type Reply } from './pair-world.ts';
import { createTestCa, type TestAuthority, type TestCertificate } from './test-ca.ts';

const local = { host: '127.0.0.1', port: 0 };

export interface GatewayAgent extends HalfAgent {
  readonly listener: GatewayListener;
  readonly httpsPort: number;
  readonly httpPort: number;
  /** Of the certificate that it shows. */
  readonly ca: TestAuthority;
  readonly folder: IdentityFolder;
  /** Puts another certificate into its files. */
  renew(): TestCertificate;
}

export interface GatewayOptions extends Omit<CallerOptions, 'upstreams'> {
  readonly rateLimit?: RateConfig;
  /** On the way to every workload. */
  readonly token?: UpstreamConfig['token'];
}

/** Workloads of a mesh, each with an app behind its agent that admits the gateway alone, and the gateway. */
export class GatewayStage {
  readonly #world: PairWorld;
  readonly #upstreams: UpstreamConfig[] = [];

  constructor(world: PairWorld) {
    this.#world = world;
  }

  async workload(
    name: string,
    appPort: number,
    protocol: UpstreamConfig['protocol'] = 'http',
    allow: readonly string[] = ['gateway'],
  ): Promise<ServingAgent> {
    const { domain } = this.#world;
    const port = {
      ...{
        port: 7002,
        app: { host: '127.0.0.1', port: appPort },
        protocol,
        listen: undefined,
        mode: 'STRICT' as const,
      },
      allow: allow.map((caller) => domain.spiffeId(caller)),
    };
    const agent = await startServing(domain, name, { ports: [port] });
    this.#world.onEnd(() => {
      agent.inbound.drain();
      agent.inbound.destroy();
    });
    this.#upstreams.push({
      ...{ workload: name, port: 7002, listen: undefined, protocol, transport: 'tunnel' },
      ...{ spiffeId: domain.spiffeId(name), endpoints: [agent.inbound.address] },
      ...upstreamDefaults,
    });
    return agent;
  }

  /** `routes`: `shop.example/orders → orders`. */
  async gateway(routes: readonly string[], options: GatewayOptions = {}): Promise<GatewayAgent> {
    const upstreams = this.#upstreams.map((upstream) => ({ ...upstream, token: options.token }));
    const { agent, parts } = await createCaller(this.#world.domain, 'gateway', { ...options, upstreams });
    const ca = createTestCa({ nowMs: Date.now() });
    const folder = createIdentityFolder();
    const renew = (): TestCertificate => {
      const names = ['shop.example', '*.shop.example'].map((text) => ({ kind: 'dns', text }) as const);
      const leaf = ca.leaf('gateway', { names });
      folder.write(leaf, [ca]);
      return leaf;
    };
    renew();
    const { rateLimit = { burst: 10_000, perSecond: 10_000 } } = options;
    const listener = await openGateway(
      { ...parts, workers: 1 },
      { https: httpsConfig(folder), http: { listen: local }, routes: routes.map(readRoute), rateLimit },
      upstreams,
    );
    this.#world.onEnd(() => {
      listener.drain();
      listener.destroy();
      parts.pool.destroyAll();
      folder[Symbol.dispose]();
    });
    const ports = { httpsPort: listener.https?.port ?? 0, httpPort: listener.http?.port ?? 0 };
    return { ...agent, listener, ...ports, ca, folder, renew };
  }
}

function httpsConfig({ path }: IdentityFolder): HttpsConfig {
  return { listen: local, certificatePath: `${path}/tls.crt`, keyPath: `${path}/tls.key` };
}

function readRoute(text: string): GatewayRouteConfig {
  const [, host = '', path = '', workload = ''] = /^([^/]+)(\/\S*) → (\S+)$/.exec(text) ?? [];
  return { host, path, workload, port: 7002 };
}

/** Sends one request over HTTPS, as a browser that knows the gateway's CA would. */
export function sendHttps(
  { httpsPort, ca }: GatewayAgent,
  url: string,
  { body, ...options }: RequestOptions & { readonly body?: string } = {},
): Promise<Reply & { readonly serialHex: string }> {
  const { hostname, pathname, search } = new URL(url);
  const place = { host: '127.0.0.1', port: httpsPort, servername: hostname, ca: ca.bundlePem, agent: false as const };
  return new Promise((resolve, reject) => {
    const sent = request(
      { ...place, path: pathname + search, ...options, headers: { host: hostname, ...options.headers } },
      (response) => {
        const pieces: Buffer[] = [];
        const serialHex = (response.socket as { getPeerCertificate?: () => { serialNumber: string } })
          .getPeerCertificate?.()
          .serialNumber.toLowerCase();
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, body: Buffer.concat(pieces).toString(), serialHex: serialHex ?? '' });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** An HTTP/2 client over TLS; the caller ends it. */
export function http2Outsider({ httpsPort, ca }: GatewayAgent, servername = 'shop.example'): ClientHttp2Session {
  const place = { host: '127.0.0.1', port: httpsPort, servername, ca: ca.bundlePem, ALPNProtocols: ['h2'] };
  const options = { createConnection: () => connectTls(place) };
  return connectHttp2(`https://${servername}`, options).on('error', () => undefined);
}
