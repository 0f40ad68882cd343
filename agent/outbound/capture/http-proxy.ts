import type { Address } from '#agent/config-types.ts';
import { defaultQueue } from '#agent/defaults.ts';
import { dialBy } from '#agent/http/dial.ts';
import { createH1Upstream, type H1Upstream } from '#agent/http/h1-upstream.ts';
import type { RequestHead } from '#agent/http/head.ts';
import type { HandedOver } from '#agent/http/service.ts';
import type { OutboundProblem } from '#agent/outbound/answers.ts';
import type { OutboundParts } from '#agent/outbound/outbound-parts.ts';
import type { Outlet } from '#agent/outbound/outlet.ts';
import { OutboundReport } from '#agent/outbound/report.ts';
import type { Route, Routed } from '#agent/outbound/route.ts';
import { servePastTheMesh, serveToOutlet } from '#agent/outbound/serve-app.ts';
import { connectTcp } from '#agent/pipe/connect-tcp.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

export interface ProxySettings {
  /** Destinations that are no upstream. */
  readonly unknown: 'refuse' | 'passthrough';
  /** The outlet to `host:port`, if the app may call it; without a port the workload's only one. */
  readonly outletTo: (host: string, port: number) => Outlet | undefined;
}

const established = Buffer.from('HTTP/1.1 200 Connection Established\r\n\r\n', 'latin1');

/** Requests past the mesh that one HTTP/2 connection of the app may have at one time. */
const maxPastConnections = 100;
const queue = { ...defaultQueue, problem: 'too-many-requests-in-flight' } as const;

/**
 * The app was told `HTTP_PROXY`: absolute-form requests and CONNECT name their destination (RFC 9112, section 3.2), as
 * `:authority` does in HTTP/2. After CONNECT the port's protocol is served on the same connection.
 */
export class HttpProxyRoute implements Route {
  readonly report: OutboundReport;
  readonly common = undefined;
  readonly #parts: OutboundParts;
  readonly #settings: ProxySettings;
  readonly #version: 'http' | 'http2';
  /** The last destination past the mesh. */
  #past:
    | { readonly to: string; readonly routed: Result<Routed, never>; readonly upstream: H1Upstream<OutboundProblem> }
    | undefined;
  #lastHost = '';
  #lastOutlet: Outlet | undefined;

  constructor(parts: OutboundParts, settings: ProxySettings, version: 'http' | 'http2') {
    this.report = new OutboundReport(parts, { name: 'unknown' });
    this.#parts = parts;
    this.#settings = settings;
    this.#version = version;
  }

  find(head: RequestHead): Result<Routed, OutboundProblem> {
    if (head.method === 'CONNECT') return this.#connect(head);
    if (!isForProxy(head)) return refuse('unknown-destination');
    if (this.#lastOutlet !== undefined && head.host === this.#lastHost) return this.#lastOutlet.route(this.#version);
    const address = splitAuthority(head.host, 80);
    if (address === undefined) return refuse('unknown-destination');
    const outlet = this.#settings.outletTo(address.host, address.port);
    if (outlet === undefined) return this.#pastTheMesh(head.host, address);
    if (outlet.config.protocol === 'tcp') return refuse('unknown-destination');
    this.#lastHost = head.host;
    this.#lastOutlet = outlet;
    return outlet.route(this.#version);
  }

  close(): void {
    this.#past?.upstream.close();
  }

  #connect(head: RequestHead): Result<Routed, OutboundProblem> {
    const address = splitAuthority(head.target, 0);
    if (address === undefined) return refuse('unknown-destination');
    const parts = this.#parts;
    const outlet = this.#settings.outletTo(address.host, address.port);
    if (outlet === undefined && this.#settings.unknown === 'refuse') return refuse('unknown-destination');
    const serve = (pipe: Pipe): HandedOver => {
      if (outlet === undefined) return servePastTheMesh(pipe, parts, address);
      return serveToOutlet(parts, outlet)(pipe);
    };
    return ok({ kind: 'hand-over', answer: established, serve });
  }

  #pastTheMesh(host: string, address: Address): Result<Routed, OutboundProblem> {
    if (this.#settings.unknown === 'refuse') return refuse('unknown-destination');
    if (this.#past?.to === host) return this.#past.routed;
    this.#past?.upstream.retire(); // what is in flight there is still wanted
    const parts = this.#parts;
    const dial = dialBy<OutboundProblem>((signal) => connectTcp(address, { clock: parts.clock, signal }));
    const maxConnections = this.#version === 'http' ? 1 : maxPastConnections;
    const upstream = createH1Upstream(dial, { ...parts, maxConnections, queue });
    const routed = ok<Routed>({ kind: 'forward', upstream, report: new OutboundReport(parts, { name: host }) });
    this.#past = { to: host, routed, upstream };
    return routed;
  }
}

/** Whether a request names the host that it is for; over TLS only CONNECT could bring it. */
function isForProxy({ form, version, target }: RequestHead): boolean {
  if (version === '2') return form === 'origin';
  return form === 'absolute' && target.slice(0, 7).toLowerCase() === 'http://';
}

/** `prices:7002`, `[::1]:7002`; `prices` where there is a port to fall back on. */
function splitAuthority(authority: string, otherwise: number): Address | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(authority) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? otherwise : Number(digits);
  return host === undefined || port === 0 ? undefined : { host, port };
}
