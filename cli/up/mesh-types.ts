import type { PortProtocol } from '#agent/config-types.ts';

/** A mesh file, parsed: what the user wrote, with every default filled in and every reference checked. */
export interface Mesh {
  readonly name: string;
  readonly trustDomain: string;
  readonly svidLifeMs: number;
  readonly workloads: readonly MeshWorkload[];
  readonly traffic: readonly TrafficSpec[];
  /** Whether agents write access logs. */
  /** Who lets in: the `calls` of each caller, beside policies; or policies alone. */
  readonly admit: 'calls' | 'policies';
  readonly accessLog: boolean;
}

export interface MeshWorkload {
  readonly name: string;
  readonly run: readonly string[];
  /** Started instead when `run[0]` is not on PATH. */
  readonly otherwise: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly listens: readonly MeshPort[];
  readonly calls: readonly MeshCall[];
  /** `http-proxy`: its HTTP calls go through HTTP_PROXY, so they need no `listen`. */
  readonly capture: 'upstreams' | 'http-proxy';
  /** Of its agent. */
  readonly workers: number;
}

export interface MeshPort {
  readonly port: number;
  readonly protocol: PortProtocol;
  /** Port on loopback where callers without an agent reach it; undefined: nowhere. */
  readonly listen: number | undefined;
  /** `permissive`: in plaintext too. */
  readonly mode: 'strict' | 'permissive';
  /** By which version of the PROXY protocol the app is told who calls; undefined: by none. */
  readonly proxyProtocol?: 'v2' | undefined;
}

export interface MeshCall {
  readonly to: string;
  /** One of the ports that `to` listens on. */
  readonly port: number;
  readonly protocol: PortProtocol;
  /** Port on loopback where the app reaches it; undefined: through HTTP_PROXY only. */
  readonly listen: number | undefined;
}

/** Requests that `up` itself sends, as a client outside the mesh. */
export interface TrafficSpec {
  readonly url: string;
  readonly perSecond: number;
  readonly deadlineMs: number;
}
