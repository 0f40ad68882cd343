import { createH2Upstream } from '#agent/http/h2/h2-upstream.ts';
import { headerField } from '#agent/http/header-field.ts';
import type { Upstream } from '#agent/http/message.ts';
import type { Endpoint } from './endpoint.ts';
import type { Endpoints } from './endpoints.ts';
import type { OpenProblem, Peer } from './peer.ts';
import { PeerSessions } from './peer-sessions.ts';
import { PeerUpstream, type UpstreamParts } from './peer-upstream.ts';
import type { PlainWay } from './plain-way.ts';
import type { SessionSlot } from './session-slot.ts';
import type { Target, Way } from './way.ts';

/** Names the port of an HTTP/2 request in a tunnel, as the CONNECT authority names it for a stream. */
export const portHeader = 'x-eastwest-port';

/** All connections of an agent, by what they speak. */
export interface AllEndpoints {
  readonly tunnel: Endpoints<SessionSlot>;
  readonly foreignHttp2: Endpoints<SessionSlot>;
  readonly foreignHttp1: Endpoints<PlainWay>;
  readonly foreignOpaque: Endpoints<PlainWay>;
}

/** How one port of a peer is reached; what nobody asks for is not made. */
export class PeerWays {
  #peer: Peer;
  readonly #parts: UpstreamParts;
  readonly #all: AllEndpoints;
  #http1: PeerUpstream | undefined;
  #opaque: PeerUpstream | undefined;
  #sessions: PeerSessions | undefined;
  #http2: Upstream<OpenProblem> | undefined;

  constructor(peer: Peer, all: AllEndpoints, parts: UpstreamParts) {
    this.#peer = peer;
    this.#all = all;
    this.#parts = parts;
  }

  get http1(): PeerUpstream {
    if (this.#http1 === undefined) {
      this.#http1 = new PeerUpstream(this.#peer.port, this.#parts);
      this.#tell();
    }
    return this.#http1;
  }

  /** Inside a tunnel all byte streams are alike; a foreign server is told by ALPN. */
  get opaque(): PeerUpstream {
    if (this.#peer.transport === 'tunnel') return this.http1;
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
    this.#http1?.sweep(ticks);
    this.#opaque?.sweep(ticks);
  }

  #tell(): void {
    const { tunnel, foreignHttp1, foreignHttp2, foreignOpaque } = this.#all;
    const isTunnel = this.#peer.transport === 'tunnel';
    this.#http1?.replaceEndpoints(this.#at<Way>(isTunnel ? tunnel : foreignHttp1));
    this.#opaque?.replaceEndpoints(this.#at(foreignOpaque));
    this.#sessions?.replaceEndpoints(this.#at(isTunnel ? tunnel : foreignHttp2));
  }

  #at<W extends Way>(endpoints: { at(target: Target): Endpoint<W> }): Endpoint<W>[] {
    const { endpoints: addresses, spiffeId } = this.#peer;
    return [...new Set(addresses.map((address) => endpoints.at({ address, expected: spiffeId })))];
  }
}

function hasSameEndpoints({ endpoints: a }: Peer, { endpoints: b }: Peer): boolean {
  if (a === b) return true;
  return a.length === b.length && a.every(({ host, port }, at) => host === b[at]?.host && port === b[at]?.port);
}
