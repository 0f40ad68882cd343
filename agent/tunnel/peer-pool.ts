import type { Upstream } from '#agent/http/message.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Timer } from '#runtime/clock.ts';
import type { Result } from '#runtime/result.ts';
import { connectSession, type ConnectSessionParts } from './connect-session.ts';
import type { OnRetired, Target } from './dialer.ts';
import { Endpoints } from './endpoints.ts';
import { openGuardedLink, openLink, type ConnectOrder, type OpenLink } from './open-link.ts';
import { openTunnelH2 } from './open-tunnel-h2.ts';
import type { OpenProblem, Peer } from './peer.ts';
import type { UpstreamParts } from './peer-upstream.ts';
import { PeerPort, type AllEndpoints } from './peer-port.ts';
import { PlainDialer } from './plain-dialer.ts';
import { SessionDialer } from './session-dialer.ts';

export interface PeerPoolParts
  extends Omit<ConnectSessionParts, 'reProof' | 'tryMs' | 'openLink' | 'openH2'>, Omit<UpstreamParts, 'problem'> {}

/** All connections from this agent to its peers, shared by all of the app's connections. */
export interface PeerPool {
  /** Where requests go that came in this version of HTTP: the same object as long as the peer is the same. */
  upstream(peer: Peer, version: 'http' | 'http2'): Upstream<OpenProblem>;
  /** An opaque stream to the peer's app. */
  open(peer: Peer): Promise<Result<Pipe, OpenProblem>>;
  /** Takes the peer's endpoints over, as the other calls do too: those that left get nothing new. */
  refresh(peer: Peer): void;
  /** Connections to peers that are open. */
  readonly sessions: number;
  /** Endpoints that are used only where there is nothing better, for they could not be reached. */
  readonly endpointsAside: number;
  /** No new stream; connections without one close. */
  retireAll(): void;
  destroyAll(): void;
}

const sweepMs = 10_000;

export function createPeerPool(parts: PeerPoolParts): PeerPool {
  const { identity, clock, limits } = parts;
  let phase: 'open' | 'stopping' = 'open';
  let sweeping: Timer | undefined;
  const stopping = new AbortController();
  const all = createEndpoints(parts, stopping.signal);
  const kinds = Object.values(all);
  const known = new Map<string, PeerPort>();
  const ofPeer = new WeakMap<Peer, PeerPort>();

  const problem = (): OpenProblem | undefined => {
    if (phase === 'stopping') return 'stopping';
    const snapshot = identity.current();
    if (snapshot === undefined) return 'no-identity';
    return clock.now() >= snapshot.svid.notAfterMs ? 'own-svid-expired' : undefined;
  };

  /** Ends kept streams that nobody needed for a while, and endpoints that nobody lists. */
  const sweep = (): void => {
    for (const port of known.values()) port.sweep(Math.ceil(limits.keepMs / sweepMs));
    for (const endpoints of kinds) {
      endpoints.forgetUse();
      endpoints.collect();
    }
    sweeping = clock.timer(sweepMs, sweep);
  };

  const portOf = (peer: Peer): PeerPort => {
    let port = ofPeer.get(peer);
    if (port !== undefined) return port;
    const key = `${peer.transport} ${peer.workload} ${peer.spiffeId} ${peer.port}`;
    port = known.get(key);
    if (port === undefined) {
      port = new PeerPort(peer, all, { ...parts, limits: { ...limits, ...peer.limits }, problem });
      known.set(key, port);
      sweeping ??= clock.timer(sweepMs, sweep);
    } else {
      port.refresh(peer);
      for (const endpoints of kinds) endpoints.collect();
    }
    ofPeer.set(peer, port);
    return port;
  };

  const unsubscribe = identity.subscribe(() => {
    for (const endpoints of kinds) endpoints.outdate();
  });

  const stop = (): void => {
    phase = 'stopping';
    unsubscribe();
    sweeping?.cancel();
  };

  return {
    upstream(peer, version) {
      const port = portOf(peer);
      return version === 'http' ? port.http : port.http2;
    },
    open: (peer) => portOf(peer).opaque.open(),
    refresh: (peer) => void portOf(peer),
    get sessions() {
      return kinds.reduce((sum, { connections }) => sum + connections, 0);
    },
    get endpointsAside() {
      const nowMs = clock.monotonic();
      return kinds.reduce((sum, endpoints) => sum + endpoints.countAside(nowMs), 0);
    },
    retireAll() {
      stop();
      for (const endpoints of kinds) endpoints.retire();
    },
    destroyAll() {
      stop();
      stopping.abort();
      for (const endpoints of kinds) endpoints.destroy();
    },
  };
}

function createEndpoints(parts: PeerPoolParts, signal: AbortSignal): AllEndpoints {
  const { clock, limits } = parts;
  const connecting = {
    ...parts,
    tryMs: limits.tryMs,
    openLink: (order: ConnectOrder) => openLink(order, { clock, signal }),
    openH2: openTunnelH2('client', clock),
  };
  const sessions = (reProof: 'offer' | 'none') => (target: Target, onRetired: OnRetired) =>
    new SessionDialer(target, {
      ...parts,
      onRetired,
      connect: (to, owner) => connectSession(to, owner, { ...connecting, reProof }),
    });
  const guarded = (order: ConnectOrder): ReturnType<OpenLink> => openGuardedLink(order, { clock, signal });
  const plain = (alpn: readonly string[]) => (target: Target, onRetired: OnRetired) =>
    new PlainDialer(target, { ...parts, openLink: guarded, alpn, onRetired });
  return {
    tunnel: new Endpoints(sessions('offer'), parts),
    foreignHttp2: new Endpoints(sessions('none'), parts),
    foreignHttp: new Endpoints(plain(['http/1.1']), parts),
    foreignOpaque: new Endpoints(plain([]), parts),
  };
}
