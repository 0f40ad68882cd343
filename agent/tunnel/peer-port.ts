import { createH2Upstream } from '#agent/http/h2/h2-upstream.ts';
import { headerField } from '#agent/http/header-field.ts';
import type { Upstream } from '#agent/http/message.ts';
import { portHeader } from '#agent/http/port-header.ts';
import type { Dialer, Target } from './dialer.ts';
import type { Endpoint } from './endpoint.ts';
import type { Endpoints } from './endpoints.ts';
import type { OpenProblem, Peer } from './peer.ts';
import { PeerSessions } from './peer-sessions.ts';
import { PeerUpstream, type UpstreamParts } from './peer-upstream.ts';
import type { PlainDialer } from './plain-dialer.ts';
import type { SessionDialer } from './session-dialer.ts';

/** All connections of an agent, by what they speak. */
export interface AllEndpoints {
  readonly tunnel: Endpoints<SessionDialer>;
  readonly foreignHttp2: Endpoints<SessionDialer>;
  readonly foreignHttp: Endpoints<PlainDialer>;
  readonly foreignOpaque: Endpoints<PlainDialer>;
}

/** One port of a peer, by what is spoken with it; what nobody asks for is not made. */
export class PeerPort {
  #peer: Peer;
  readonly #parts: UpstreamParts;
  readonly #all: AllEndpoints;
  #http: PeerUpstream | undefined;
  #opaque: PeerUpstream | undefined;
  #sessions: PeerSessions | undefined;
  #http2: Upstream<OpenProblem> | undefined;

  constructor(peer: Peer, all: AllEndpoints, parts: UpstreamParts) {
    this.#peer = peer;
    this.#all = all;
    this.#parts = parts;
  }

  get http(): PeerUpstream {
    if (this.#http === undefined) {
      this.#http = new PeerUpstream(this.#peer.port, this.#parts);
      this.#tell();
    }
    return this.#http;
  }

  /** Inside a tunnel all byte streams are alike; a foreign server is told by ALPN. */
  get opaque(): PeerUpstream {
    if (this.#peer.transport === 'tunnel') return this.http;
    if (this.#opaque === undefined) {
      this.#opaque = new PeerUpstream(this.#peer.port, this.#parts);
      this.#tell();
    }
    return this.#opaque;
  }

  get http2(): Upstream<OpenProblem> {
    if (this.#http2 === undefined) {
      const { limits, http } = this.#parts;
      const { transport, port } = this.#peer;
      this.#sessions = new PeerSessions(this.#parts);
      this.#http2 = createH2Upstream<OpenProblem>({
        source: this.#sessions,
        deadlines: http.deadlines,
        queue: { maxRequests: limits.maxPending, maxMs: limits.overallMs },
        problems: { noStream: 'too-many-requests-in-flight', refused: 'unreachable' },
        scheme: 'https',
        extraFields: transport === 'tunnel' ? [headerField(portHeader, String(port))] : [],
      });
      this.#tell();
    }
    return this.#http2;
  }

  refresh(peer: Peer): void {
    const isSame = hasSameEndpoints(this.#peer, peer);
    this.#peer = peer;
    if (!isSame) this.#tell();
  }

  sweep(ticks: number): void {
    this.#http?.sweep(ticks);
    this.#opaque?.sweep(ticks);
  }

  #tell(): void {
    const { tunnel, foreignHttp, foreignHttp2, foreignOpaque } = this.#all;
    const isTunnel = this.#peer.transport === 'tunnel';
    this.#http?.replaceEndpoints(this.#endpointsAmong<Dialer>(isTunnel ? tunnel : foreignHttp));
    this.#opaque?.replaceEndpoints(this.#endpointsAmong(foreignOpaque));
    this.#sessions?.replaceEndpoints(this.#endpointsAmong(isTunnel ? tunnel : foreignHttp2));
  }

  #endpointsAmong<D extends Dialer>(all: { to(target: Target): Endpoint<D> }): Endpoint<D>[] {
    const { endpoints, spiffeId } = this.#peer;
    return [...new Set(endpoints.map((address) => all.to({ address, expected: spiffeId })))];
  }
}

function hasSameEndpoints({ endpoints: a }: Peer, { endpoints: b }: Peer): boolean {
  if (a === b) return true;
  return (
    a.length === b.length && a.every(({ host, port }, index) => host === b[index]?.host && port === b[index]?.port)
  );
}
