import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { MtlsMode } from '#policy/model.ts';
import type { Level } from '#runtime/log.ts';
import type { IssuerAlgorithm } from '#tokens/algorithms.ts';
import type { Audience } from '#tokens/claims.ts';
import type { TrustedIssuer } from '#tokens/trusted-issuer.ts';

/** `127.0.0.1:7002`, `[::1]:7002` or, where a name makes sense, `prices.internal:7002`; IPv6 without brackets here. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export type JoinTokenSource = { readonly kind: 'file'; readonly path: string } | { readonly kind: 'stdin' };

export interface ControlPlaneIdentityConfig {
  readonly kind: 'control-plane';
  readonly address: Address;
  /** PEM file with the pinned roots. */
  readonly trustBundlePath: string;
  readonly joinToken: JoinTokenSource | undefined;
  /** Where key and SVID are kept over restarts; undefined: in memory only. */
  readonly stateDir: string | undefined;
}

export interface FilesIdentityConfig {
  readonly kind: 'files';
  /** Holds `tls.crt`, `tls.key` and `ca.crt`. */
  readonly dir: string;
  /** Of the roots in `ca.crt`. */
  readonly trustDomain: string;
}

/**
 * What is spoken on a port. `http` is HTTP/1.1, `http2` HTTP/2 without TLS (gRPC), `tcp` opaque. `auto`: the first bytes
 * of each connection tell.
 */
export type PortProtocol = 'http' | 'http2' | 'tcp' | 'auto';

/** Version 2 of the PROXY protocol. */
export interface ProxyProtocolConfig {
  /** The type of the TLV with the caller's SPIFFE ID, 0xE0 to 0xEF. */
  readonly spiffeIdTlv: number;
}

/** What is asked of the access token that comes with each request, beside the caller's certificate. */
export interface PortTokenConfig {
  /** `audit-only`: one for another audience is noted and goes on. */
  readonly mode: 'require' | 'audit-only';
  /** Undefined: our own SPIFFE ID. */
  readonly audience: Audience | undefined;
  /** Where it comes. Lower case; a name that HTTP/2 never indexes. */
  readonly header: 'authorization' | 'x-access-token';
  /** What the app gets of it. */
  readonly forward: 'none' | 'token' | 'claims';
  /** Tokens that are bound to no certificate: `accept` believes whoever has one. */
  readonly unbound: 'refuse' | 'accept';
}

/** Where an issuer's keys come from: always the configuration, never a token (S70). */
export type IssuerKeysConfig =
  | { readonly kind: 'pushed' }
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 'url';
      readonly url: string;
      /** PEM; undefined: the system's roots. */
      readonly caPath: string | undefined;
      /** How often they are fetched unasked. */
      readonly refreshMs: number;
      /** How long the last good ones count while fetches fail. */
      readonly keepMs: number;
    };

/** An issuer whose access tokens are believed. */
export interface TokenIssuerConfig extends Omit<TrustedIssuer, 'keys'> {
  readonly name: string;
  readonly algorithms: readonly IssuerAlgorithm[];
  readonly keys: IssuerKeysConfig;
}

export interface InboundPortConfig {
  /** The port's name on the wire: the port of CONNECT's authority. */
  readonly port: number;
  readonly app: Address;
  readonly protocol: PortProtocol;
  /** `any-peer`: whoever is verified in our trust domain. An empty list admits nobody. */
  readonly allow: 'any-peer' | readonly SpiffeId[];
  /** A listener for this port alone: plain mTLS, and plaintext too where the port is permissive. */
  readonly listen: Address | undefined;
  /** Where no PeerAuthentication says otherwise. */
  readonly mode: MtlsMode;
  /** What the app is told by before a caller's first byte; undefined: nothing. Only where the port is `tcp`. */
  readonly proxyProtocol?: ProxyProtocolConfig | undefined;
  /** Undefined: no token is looked for. Only where the port speaks HTTP. */
  readonly token?: PortTokenConfig | undefined;
}

export interface InboundConfig {
  readonly listen: Address;
  /** What peers are told to dial; undefined: the address we really listen on. */
  readonly advertise: Address | undefined;
  readonly ports: readonly InboundPortConfig[];
}

/** What is attached to each request to an upstream. */
export interface UpstreamTokenConfig {
  /** Undefined: the SPIFFE ID of the peer. */
  readonly audience: Audience | undefined;
  /** Empty: all that the issuer gives. */
  readonly scopes: readonly string[];
  /** The name of a token endpoint; undefined: the control plane. */
  readonly issuer: string | undefined;
  /** Lower case. */
  readonly header: string;
}

/** An issuer of tokens beside the control plane, which is asked as OAuth says (RFC 6749, section 4.4; RFC 8705). */
export interface TokenEndpointConfig {
  readonly name: string;
  /** https */
  readonly url: string;
  /** PEM file with the roots that its certificate must stand in; undefined: those of the system. */
  readonly caPath: string | undefined;
}

export interface UpstreamConfig {
  readonly workload: string;
  readonly port: number;
  /** Undefined: reached by the HTTP proxy only. */
  readonly listen: Address | undefined;
  readonly protocol: PortProtocol;
  /** Expected of the peer; undefined: the control plane says. */
  readonly spiffeId: SpiffeId | undefined;
  /** Undefined: the control plane says. */
  readonly endpoints: readonly Address[] | undefined;
  readonly transport: 'tunnel' | 'mtls';
  /** For one endpoint to accept, prove itself and answer. */
  readonly connectTimeoutMs: number;
  /** For a whole request and its answer; undefined: as long as bytes flow. */
  readonly timeoutMs: number | undefined;
  /** In flight at once. */
  readonly maxRequests: number;
  /** Undefined: none. */
  readonly token?: UpstreamTokenConfig | undefined;
}

export interface OutboundConfig {
  readonly upstreams: readonly UpstreamConfig[];
  readonly httpProxy: { readonly listen: Address } | undefined;
  readonly unknown: 'refuse' | 'passthrough';
  readonly tokenEndpoints?: readonly TokenEndpointConfig[];
}

/** Where requests from outside the mesh go: by their host, then by the longest path that theirs begins with. */
export interface GatewayRouteConfig {
  /** Lower case: a whole name, or `*.shop.example` for names with one label in its place. */
  readonly host: string;
  /** `/`, or `/orders` for itself and all below it. */
  readonly path: string;
  /** An upstream of `outbound`. */
  readonly workload: string;
  readonly port: number;
}

export interface RateConfig {
  /** In the long run. */
  readonly perSecond: number;
  /** At once. */
  readonly burst: number;
}

export interface HttpsConfig {
  readonly listen: Address;
  /** PEM files: the certificate with its chain, leaf first, and its key. */
  readonly certificatePath: string;
  readonly keyPath: string;
}

export interface GatewayConfig {
  readonly https: HttpsConfig | undefined;
  /** Without TLS, on loopback. */
  readonly http: { readonly listen: Address } | undefined;
  readonly routes: readonly GatewayRouteConfig[];
  /** Requests of one caller's address. */
  readonly rateLimit: RateConfig;
}

export interface AccessLogConfig {
  readonly to:
    | { readonly kind: 'stdout' }
    | { readonly kind: 'stderr' }
    | { readonly kind: 'file'; readonly path: string };
  /** Share of the requests that are written, 0 to 1. */
  readonly sample: number;
  /** Whether those that failed are always written. */
  readonly failures: 'always' | 'sampled';
}

export interface AdminConfig {
  /** Undefined: no TCP port. */
  readonly listen: Address | undefined;
  /** `anywhere` must be asked for: `listen` may then be an address other than loopback. */
  readonly reachableFrom: 'loopback' | 'anywhere';
  /** Path of the Unix socket; undefined: none. */
  readonly socket: string | undefined;
}

/** Ceilings and deadlines of everything that others can send. */
export interface LimitsConfig {
  readonly headBytes: number;
  readonly headers: number;
  readonly trailerBytes: number;
  readonly trailers: number;
  /** From the first byte of a head to its last. */
  readonly headMs: number;
  /** Between requests. */
  readonly idleMs: number;
  /** Within a request, without a byte in either direction. */
  readonly stallMs: number;
  /** Open at once, of peers and of the app each. */
  readonly connections: number;
  /** In flight at once, from peers and from the app each. */
  readonly requests: number;
}

export interface AgentConfig {
  readonly workload: string;
  readonly trustDomain: string;
  readonly identity: ControlPlaneIdentityConfig | FilesIdentityConfig;
  readonly inbound: InboundConfig | undefined;
  readonly outbound: OutboundConfig | undefined;
  readonly gateway: GatewayConfig | undefined;
  /** Undefined: those whose keys the control plane pushes. */
  readonly tokenIssuers?: readonly TokenIssuerConfig[] | undefined;
  readonly admin: AdminConfig;
  readonly limits: LimitsConfig;
  /** Ports of workloads that are opaque at once where `protocol` is `auto`: there the server speaks first. */
  readonly serverFirst: readonly number[];
  /** Threads that carry traffic, 1 to 64. */
  readonly workers: number;
  readonly drainMs: number;
  /** What happens to opaque streams in flight when a session's certificate expires. */
  readonly whenExpired: 'keep' | 'end';
  readonly logLevel: Level;
  /** Undefined: none is kept. */
  readonly accessLog: AccessLogConfig | undefined;
}
