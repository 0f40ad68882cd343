import type { Upstream } from '#agent/http/message.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import type { Timer } from '#runtime/clock.ts';
import type { Result } from '#runtime/result.ts';
import { connectSession, type ConnectSessionParts } from './connect-session.ts';
import { Endpoints } from './endpoints.ts';
import { openGuardedLink, openLink, type ConnectOrder, type OpenLink } from './connect.ts';
import type { OpenProblem, Peer } from './peer.ts';
import type { UpstreamParts } from './peer-upstream.ts';
import { PeerWays, type AllEndpoints } from './peer-ways.ts';
import { PlainWay } from './plain-way.ts';
import { SessionSlot } from './session-slot.ts';
import { openTunnelH2 } from './tunnel-h2.ts';
import type { Keeper, Target } from './way.ts';

export interface PeerPoolParts
  extends Omit<ConnectSessionParts, 'reProof' | 'tryMs' | 'openLink' | 'openH2'>, Omit<UpstreamParts, 'problem'> {}

/** All ways from this agent to its peers, shared by all of the app's connections. */
export interface PeerPool {
  /** Where requests go that came in this version of HTTP: the same object as long as the peer is the same. */
  upstream(peer: Peer, version: 'http1' | 'http2'): Upstream<OpenProblem>;
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
  const known = new Map<string, PeerWays>();
  const ofPeer = new WeakMap<Peer, PeerWays>();

  const problem = (): OpenProblem | undefined => {
    if (phase === 'stopping') return 'stopping';
    const snapshot = identity.current();
    if (snapshot === undefined) return 'no-identity';
    return clock.now() >= snapshot.svid.notAfterMs ? 'own-svid-expired' : undefined;
  };

  /** Ends kept streams that nobody needed for a while, and endpoints that nobody lists. */
  const sweep = (): void => {
    for (const ways of known.values()) ways.sweep(Math.ceil(limits.keepMs / sweepMs));
    for (const endpoints of kinds) {
      endpoints.forgetUse();
      endpoints.collect();
    }
    sweeping = clock.timer(sweepMs, sweep);
  };

  const waysTo = (peer: Peer): PeerWays => {
    let ways = ofPeer.get(peer);
    if (ways !== undefined) return ways;
    const key = `${peer.transport} ${peer.workload} ${peer.spiffeId} ${peer.port}`;
    ways = known.get(key);
    if (ways === undefined) {
      ways = new PeerWays(peer, all, { ...parts, limits: { ...limits, ...peer.limits }, problem });
      known.set(key, ways);
      sweeping ??= clock.timer(sweepMs, sweep);
    } else {
      ways.refresh(peer);
      for (const endpoints of kinds) endpoints.collect();
    }
    ofPeer.set(peer, ways);
    return ways;
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
      const ways = waysTo(peer);
      return version === 'http1' ? ways.http1 : ways.http2;
    },
    open: (peer) => waysTo(peer).opaque.open(),
    refresh: (peer) => void waysTo(peer),
    get sessions() {
      return kinds.reduce((sum, { connections }) => sum + connections, 0);
    },
    get endpointsAside() {
      const nowMs = clock.monotonic();
      return kinds.reduce((sum, endpoints) => sum + endpoints.asideAt(nowMs), 0);
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
  const sessions = (reProof: 'offer' | 'none') => (target: Target, keeper: Keeper) =>
    new SessionSlot(target, {
      ...parts,
      keeper,
      connect: (to, owner) => connectSession(to, owner, { ...connecting, reProof }),
    });
  const guarded = (order: ConnectOrder): ReturnType<OpenLink> => openGuardedLink(order, { clock, signal });
  const plain = (alpn: readonly string[]) => (target: Target, keeper: Keeper) =>
    new PlainWay(target, { ...parts, openLink: guarded, alpn, keeper });
  return {
    tunnel: new Endpoints(sessions('offer'), parts),
    foreignHttp2: new Endpoints(sessions('none'), parts),
    foreignHttp1: new Endpoints(plain(['http/1.1']), parts),
    foreignOpaque: new Endpoints(plain([]), parts),
  };
}
