import type { Address } from '#agent/config-types.ts';
import type { IdentitySnapshot, IdentityStore } from '#agent/identity/store.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { singleFlight } from '#runtime/single-flight.ts';
import { connectMtls, type ConnectProblem } from './connect.ts';
import type { OpenPeer, OpenProblem, Peer, PeerStream } from './peer.ts';
import { openPlainStream } from './plain.ts';
import { openTunnelSession, type TunnelSession } from './session.ts';
import { createSetAside } from './set-aside.ts';

export interface PoolSettings {
  readonly whenExpired: 'keep' | 'end';
  /** For one connect attempt, handshake and first answer included. */
  readonly tryMs: number;
  /** For all attempts of one `open`. */
  readonly overallMs: number;
}

export interface PoolParts {
  readonly identity: IdentityStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: PoolSettings;
  readonly onSession: (
    event: 'opened' | 'failed' | 'closed',
    facts: { peer: string; address: string; reason?: ConnectProblem },
  ) => void;
}

export interface TunnelPool {
  readonly open: OpenPeer;
  /** Sessions that still carry streams or may. */
  readonly sessions: number;
  /** No new sessions; those without streams close. */
  retireAll(): void;
  destroyAll(): void;
}

/** Sessions that one stream is tried on. */
const maxAttempts = 3;

/** How often, at most, a session that still serves is tried to be renewed. */
const renewEveryMs = 1_000;

/** A peer's address and the name it must prove: sessions are shared by all app connections that go there. */
interface Slot {
  readonly address: Address;
  readonly expected: SpiffeId;
  current: TunnelSession | undefined;
  /** Not before this (monotonic) is a newer session looked for again, while the current one serves. */
  retryAtMs: number;
  readonly renew: () => Promise<Result<TunnelSession, ConnectProblem | 'own-svid-expired' | 'no-identity'>>;
}

/**
 * One mTLS session per (peer address, peer identity, our identity generation). When our identity is replaced or a
 * certificate of the session ages, a new session is made first; then the old one is retired. What cannot be renewed
 * goes on until its hard end: the last good stays.
 */
export function createTunnelPool(parts: PoolParts): TunnelPool {
  const { identity, clock, settings } = parts;
  const slots = new Map<string, Slot>();
  const live = new Set<TunnelSession>();
  const setAside = createSetAside(parts);
  const stopping = new AbortController();

  async function connectSession(
    slot: Slot,
  ): Promise<Result<TunnelSession, ConnectProblem | 'own-svid-expired' | 'no-identity'>> {
    const snapshot = identity.current();
    const problem = identityProblem(snapshot, clock.now());
    if (problem || !snapshot) return refuse(problem ?? 'no-identity');
    const connected = await connectMtls(
      { address: slot.address, expected: slot.expected, identity: snapshot, alpn: ['h2'], deadlineMs: settings.tryMs },
      { clock, signal: stopping.signal },
    );
    const facts = { peer: slot.expected, address: `${bracketed(slot.address.host)}:${slot.address.port}` };
    if (!connected.ok) {
      parts.onSession('failed', { ...facts, reason: connected.reason });
      return connected;
    }
    let session: TunnelSession | undefined = undefined; // until it is open
    const firstNotAfterMs = Math.min(snapshot.svid.notAfterMs, connected.value.peer.svid.notAfterMs);
    const opened = await openTunnelSession(
      connected.value.socket,
      { generation: snapshot.generation, firstNotAfterMs, whenExpired: settings.whenExpired },
      {
        clock,
        deadlineMs: settings.tryMs,
        onAging: () => void replace(slot),
        onClosed() {
          if (session) live.delete(session);
          if (slot.current === session) slot.current = undefined;
          parts.onSession('closed', facts);
        },
      },
    );
    if (!opened.ok) {
      parts.onSession('failed', { ...facts, reason: opened.reason });
      return opened;
    }
    session = opened.value;
    live.add(session);
    const old = slot.current;
    slot.current = session;
    old?.retire();
    parts.onSession('opened', facts);
    return ok(session);
  }

  /** Renews a slot ahead of need, unless nobody uses it. */
  async function replace(slot: Slot): Promise<void> {
    if (!slot.current || stopping.signal.aborted) return;
    if (slot.current.streams === 0) return slot.current.retire();
    if (clock.monotonic() < slot.retryAtMs) return;
    slot.retryAtMs = clock.monotonic() + renewEveryMs;
    await slot.renew();
  }

  function slotFor(address: Address, expected: SpiffeId): Slot {
    const key = `${address.host} ${address.port} ${expected}`;
    let slot = slots.get(key);
    if (!slot) {
      const made: Slot = {
        address,
        expected,
        current: undefined,
        retryAtMs: 0,
        renew: singleFlight(() => connectSession(made)),
      };
      slots.set(key, made);
      slot = made;
    }
    return slot;
  }

  async function sessionFor(slot: Slot): Promise<Result<TunnelSession, OpenProblem>> {
    const current = slot.current;
    const state = current?.state() ?? 'closed';
    const generation = identity.current()?.generation;
    if (current && state === 'fresh' && current.generation === generation) return ok(current);
    if (!current || state === 'closed') return slot.renew();
    void replace(slot); // what is still good serves on meanwhile: nobody waits for a handshake
    return ok(current);
  }

  async function openAt(address: Address, peer: Peer, signal: AbortSignal): Promise<Result<PeerStream, OpenProblem>> {
    if (peer.transport === 'mtls') return openPlainStream({ ...parts, address, peer, signal });
    const slot = slotFor(address, peer.spiffeId);
    const authority = `${bracketed(address.host)}:${peer.port}`;
    for (let attempt = 1; ; attempt += 1) {
      const session = await sessionFor(slot);
      if (!session.ok) return session;
      const opened = await session.value.open(authority, { deadlineMs: settings.tryMs, signal });
      // It was retired, or said goodbye, just as we chose it; nothing of the app's was sent: the next one is asked.
      const isLate = !opened.ok && opened.reason === 'unreachable' && session.value.state() === 'closed';
      if (!isLate || attempt === maxAttempts) return opened;
    }
  }

  const unsubscribe = identity.subscribe(() => {
    for (const [key, slot] of slots) {
      if (slot.current) void replace(slot);
      else slots.delete(key); // nobody uses it: the next call makes it anew
    }
  });

  return {
    async open(peer, signal) {
      const problem = identityProblem(identity.current(), clock.now());
      if (problem) return refuse(problem);
      let last: OpenProblem = 'no-endpoint';
      const giveUpMs = clock.monotonic() + settings.overallMs;
      for (const address of setAside.order(peer.endpoints)) {
        if (signal.aborted || stopping.signal.aborted) return refuse('stopping');
        const opened = await openAt(address, peer, signal);
        if (opened.ok) {
          setAside.succeeded(address);
          return opened;
        }
        last = opened.reason;
        if (last === 'refused-by-peer') break; // an answer, not a failure: others would say the same
        if (last !== 'app-unreachable') setAside.failed(address);
        if (clock.monotonic() > giveUpMs) break;
      }
      return refuse(last);
    },
    get sessions() {
      return live.size;
    },
    retireAll() {
      unsubscribe();
      for (const session of live) session.retire();
    },
    destroyAll() {
      stopping.abort();
      for (const session of live) session.destroy();
    },
  };
}

function identityProblem(
  snapshot: IdentitySnapshot | undefined,
  nowMs: number,
): 'no-identity' | 'own-svid-expired' | undefined {
  if (!snapshot) return 'no-identity';
  return nowMs >= snapshot.svid.notAfterMs ? 'own-svid-expired' : undefined;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
