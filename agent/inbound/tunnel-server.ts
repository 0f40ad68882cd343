import type { InboundPortConfig } from '#agent/config-types.ts';
import { h2Error } from '#agent/h2/errors.ts';
import type { H2Session, H2SessionHandler, H2Stream, WorkerPlace } from '#agent/h2/types.ts';
import { serveH2 } from '#agent/http/h2/h2-server.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import type { HttpConnection } from '#agent/http/service.ts';
import type { IdentityStore } from '#agent/identity/store.ts';
import { deriveAuthenticatorKeys } from '#agent/proof/authenticator-keys.ts';
import type { ProofReport } from '#agent/proof/proof-report.ts';
import { createReProofServer, type ReProofServer } from '#agent/proof/re-proof.ts';
import type { VerifiedPeer } from '#agent/tls/verified-peer.ts';
import { ProofLife } from '#agent/tunnel/proof-life.ts';
import { openTunnelH2 } from '#agent/tunnel/open-tunnel-h2.ts';
import type { Clock, Timer } from '#runtime/clock.ts';
import type { InboundCaller, Proof } from './inbound-caller.ts';
import type { LinkFacts } from './link-facts.ts';
import type { AcceptedLink } from './mtls-server.ts';
import { TunnelStream, type TunnelStreams } from './tunnel-stream.ts';

export interface TunnelParts {
  readonly clock: Clock;
  readonly worker: WorkerPlace | undefined;
  readonly identity: IdentityStore;
  readonly randomBytes: (size: number) => Buffer;
  readonly report: ProofReport;
  readonly whenExpired: 'keep' | 'end';
  readonly portOf: (port: number) => InboundPortConfig | undefined;
  readonly openCaller: (proof: Proof) => InboundCaller;
}

/** How long a peer has after GOAWAY to end its idle streams itself, as our agents do. */
const goodbyeMs = 1_000;

/** How often a session that was drained is looked at for streams that still run. */
const lookEveryMs = 250;

/**
 * The accepting end of a tunnel (ALPN h2): CONNECT streams to ports of this workload, ordinary HTTP/2 requests beside them, and
 * the proof of new certificates, all of one verified peer. Over when its certificate is, unless it proves another.
 */
export function serveTunnel(link: AcceptedLink, parts: TunnelParts): HttpConnection {
  return new TunnelServer(link, parts);
}

class TunnelServer implements H2SessionHandler, HttpConnection, TunnelStreams, Proof {
  readonly clock: Clock;
  readonly caller: InboundCaller;
  readonly link: LinkFacts;
  /** As it last proved itself: another object after each proof. */
  peer: VerifiedPeer;
  readonly #parts: TunnelParts;
  readonly #life: ProofLife;
  readonly #connected = new Set<TunnelStream>();
  readonly #proof: ReProofServer | undefined;
  readonly #requests: HttpConnection;
  #session: H2Session | undefined;
  /** Who serves the requests. */
  #server: H2SessionHandler | undefined;
  #goodbye: Timer | undefined;
  #look: Timer | undefined;
  #isDraining = false;

  constructor(link: AcceptedLink, parts: TunnelParts) {
    this.clock = parts.clock;
    this.peer = link.peer;
    this.link = link.facts;
    this.#parts = parts;
    this.caller = parts.openCaller(this);
    const proofs = { ownNotAfterMs: Infinity, peerNotAfterMs: link.peer.svid.notAfterMs }; // ours is the peer's business
    this.#life = new ProofLife(proofs, parts.clock, {
      onAging: () => undefined,
      onClosing: () => undefined,
      onExpired: () => this.#expired(),
    });
    this.#proof = this.#offerProof(link);
    this.#requests = serveH2((server) => {
      this.#server = server;
      this.#session = openTunnelH2('server', parts.clock, parts.worker)(link.pipe, this);
      return this.#session;
    }, this.caller.http2);
  }

  get isExpired(): boolean {
    return this.clock.now() >= this.peer.svid.notAfterMs;
  }
  portOf(port: number): InboundPortConfig | undefined {
    return this.#parts.portOf(port);
  }

  onStream(stream: H2Stream): void {
    stream.handler = new TunnelStream(this, stream);
  }
  takeRequest(stream: H2Stream, fields: readonly HeaderField[], end: boolean): void {
    if (this.#proof?.accept(stream, fields, end)) return;
    this.#server?.onStream(stream);
    stream.handler.onHeaders(fields, end);
  }
  opened(stream: TunnelStream): void {
    this.#connected.add(stream);
  }
  closed(stream: TunnelStream): void {
    this.#connected.delete(stream);
  }

  onReady(): void {
    this.#server?.onReady();
  }
  onGoaway(): void {
    this.#server?.onGoaway();
    this.#endProofWhenDone(); // the peer has retired the session
  }
  onClosed(reason: string): void {
    this.#life.stop();
    this.#proof?.end();
    this.#goodbye?.cancel();
    this.#look?.cancel();
    this.#server?.onClosed(reason);
    this.caller.close();
  }

  reconsider(): void {
    this.#requests.reconsider?.();
    for (const stream of [...this.#connected]) stream.reconsider();
  }

  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#requests.drain();
    this.#goodbye = this.clock.timer(goodbyeMs, () => {
      for (const stream of this.#connected) stream.drain();
    });
    this.#endProofWhenDone();
  }
  destroy(): void {
    this.#session?.destroy(h2Error.none);
  }

  #expired(): void {
    if (this.#parts.whenExpired === 'keep') return this.#requests.drain(); // what is in flight lives on
    if (this.#proof?.isRunning) this.#parts.report.failed(this.peer.spiffeId, 'silent');
    this.destroy();
  }

  #offerProof({ socket, peer, shown }: AcceptedLink): ReProofServer | undefined {
    const { clock, identity, randomBytes, report } = this.#parts;
    const keys = deriveAuthenticatorKeys(socket);
    if (!keys.ok) return undefined;
    return createReProofServer({
      keys: keys.value,
      identity,
      shown: shown.svid,
      peer,
      clock,
      randomBytes,
      onProved: (proved) => {
        this.peer = proved;
        this.#life.extend({ peerNotAfterMs: proved.svid.notAfterMs });
        report.proved(proved.svid);
        this.reconsider(); // a deny list may name what it has proved now
      },
      onShown: () => undefined,
      onFailed: (reason) => {
        report.failed(peer.spiffeId, reason);
        this.destroy();
      },
    });
  }

  /** Its stream must not keep a session open that carries nothing else. */
  #endProofWhenDone(): void {
    if (!this.#proof?.isRunning) return;
    if ((this.#session?.openStreams ?? 0) <= 1) return this.#proof.end();
    this.#look?.cancel();
    this.#look = this.clock.timer(lookEveryMs, () => this.#endProofWhenDone());
  }
}
