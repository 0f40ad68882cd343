import type { UpstreamConfig, UpstreamTokenConfig } from '#agent/config-types.ts';
import type { Attachment } from '#agent/http/attachment.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { PeerPool } from '#agent/tunnel/peer-pool.ts';
import type { Peer } from '#agent/tunnel/peer.ts';
import type { ReportParts } from '#agent/traffic-report.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, type Result } from '#runtime/result.ts';
import type { OutboundProblem } from './answers.ts';
import type { Destinations } from './destination.ts';
import { OutboundReport } from './report.ts';
import type { Routed, TokenOnRoute } from './route.ts';
import { timedUpstream } from './timed-upstream.ts';

export interface OutletParts extends ReportParts {
  readonly clock: Clock;
  readonly destinations: Destinations;
  readonly pool: PeerPool;
  /** Undefined where nothing is attached. */
  readonly attach?: AttachTo | undefined;
}

/** What is attached to requests for this peer, which is whom the token is for where the setting names no audience. */
export type AttachTo = (token: UpstreamTokenConfig, peer: SpiffeId) => Attachment;

/** One configured upstream as all connections of the app share it. Follows what is known of its peer. */
export class Outlet {
  readonly config: UpstreamConfig;
  readonly report: OutboundReport;
  readonly #parts: OutletParts;
  /** Of what was known when the peer was looked up. */
  #version = -1;
  #peer: Peer | undefined;
  /** For one peer's name: another peer gets other tokens. */
  #attachment: { readonly to: SpiffeId; readonly attachment: Attachment } | undefined;
  #routed: { http: Result<Routed, never>; http2: Result<Routed, never> } | undefined;

  constructor(config: UpstreamConfig, parts: OutletParts) {
    this.config = config;
    this.report = new OutboundReport(parts, { name: config.workload, port: config.port });
    this.#parts = parts;
  }

  /** Where requests go, by the version of HTTP that the app speaks: the same object as long as it is the same. */
  route(version: 'http' | 'http2'): Result<Routed, OutboundProblem> {
    if (this.#routed === undefined || this.#version !== this.#parts.destinations.version) {
      const peer = this.#lookUp();
      if (!peer.ok) return peer;
      this.#routed = { http: this.#routedTo(peer.value, 'http'), http2: this.#routedTo(peer.value, 'http2') };
    }
    return this.#routed[version];
  }

  async open(): Promise<Result<Pipe, OutboundProblem>> {
    const peer = this.#lookUp();
    return peer.ok ? this.#parts.pool.open(peer.value) : peer;
  }

  /** More is known of destinations: endpoints that left get nothing new, though nobody calls just now. */
  refresh(): void {
    if (this.#peer === undefined) return;
    const peer = this.#lookUp();
    if (peer.ok) this.#parts.pool.refresh(peer.value);
  }

  /** Not where it cannot be had: the settings were checked against that. */
  #tokenFor({ spiffeId }: Peer): TokenOnRoute | undefined {
    const { token } = this.config;
    if (token === undefined) return undefined;
    if (this.#parts.attach === undefined) throw new Error('an upstream wants tokens, and nobody gets them');
    this.#attachment ??= { to: spiffeId, attachment: this.#parts.attach(token, spiffeId) };
    if (this.#attachment.to !== spiffeId) {
      this.#attachment = { to: spiffeId, attachment: this.#parts.attach(token, spiffeId) };
    }
    return { header: token.header, attachment: this.#attachment.attachment };
  }

  #lookUp(): Result<Peer, OutboundProblem> {
    const { destinations } = this.#parts;
    if (this.#peer !== undefined && this.#version === destinations.version) return ok(this.#peer);
    const peer = destinations.resolve(this.config);
    if (!peer.ok) return peer;
    this.#version = destinations.version;
    this.#peer = peer.value;
    this.report.peer = peer.value.spiffeId;
    this.#routed = undefined;
    return peer;
  }

  /**
   * A port that was declared to speak HTTP/2 is asked in it. Otherwise the other agent of a tunnel speaks to its app as that
   * wants; a foreign server is spoken to as it was declared.
   */
  #routedTo(peer: Peer, spoken: 'http' | 'http2'): Result<Routed, never> {
    const { timeoutMs, transport, protocol } = this.config;
    const isDeclared = protocol === 'http2' || (transport === 'mtls' && protocol === 'http');
    const upstream = this.#parts.pool.upstream(peer, isDeclared ? protocol : spoken);
    const timed = timeoutMs === undefined ? upstream : timedUpstream(upstream, timeoutMs, this.#parts.clock);
    return ok({ kind: 'forward', upstream: timed, report: this.report, token: this.#tokenFor(peer) });
  }
}
