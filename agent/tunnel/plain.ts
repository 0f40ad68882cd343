import type { Address } from '#agent/config-types.ts';
import type { IdentityStore } from '#agent/identity/store.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { connectMtls } from './connect.ts';
import { sessionFreshness } from './freshness.ts';
import type { OpenProblem, Peer, PeerStream } from './peer.ts';

export interface PlainOrder {
  readonly identity: IdentityStore;
  readonly clock: Clock;
  readonly settings: { readonly tryMs: number; readonly whenExpired: 'keep' | 'end' };
  readonly address: Address;
  readonly peer: Peer;
  readonly signal: AbortSignal;
}

/** Dials a plain mTLS server (no tunnel): one TLS connection that carries one stream of the app's own protocol. */
export async function openPlainStream(order: PlainOrder): Promise<Result<PeerStream, OpenProblem>> {
  const { identity, clock, settings, address, peer, signal } = order;
  const snapshot = identity.current();
  if (!snapshot) return refuse('no-identity');
  const alpn = peer.protocol === 'http' ? ['http/1.1'] : [];
  const connected = await connectMtls(
    { address, expected: peer.spiffeId, identity: snapshot, alpn, deadlineMs: settings.tryMs },
    { clock, signal },
  );
  if (!connected.ok) return connected;
  const { socket } = connected.value;
  const firstNotAfterMs = Math.min(snapshot.svid.notAfterMs, connected.value.peer.svid.notAfterMs);
  const { softMs, hardMs } = sessionFreshness(clock.now(), firstNotAfterMs);
  const listeners = new Set<() => void>();
  const retire = (): void => {
    for (const listener of listeners) listener();
    listeners.clear();
  };
  const aging = clock.timer(softMs - clock.now(), retire);
  const expiry =
    settings.whenExpired === 'end' ? clock.timer(firstNotAfterMs - clock.now(), () => socket.destroy()) : undefined;
  const unsubscribe = identity.subscribe(retire);
  socket.once('close', () => {
    aging.cancel();
    expiry?.cancel();
    unsubscribe();
  });
  return ok({
    duplex: socket,
    isFresh: () => identity.current()?.generation === snapshot.generation && clock.now() < Math.min(softMs, hardMs),
    onRetired(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
}
