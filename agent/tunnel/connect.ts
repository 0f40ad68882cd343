import type { Address } from '#agent/config-types.ts';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { IdentitySnapshot } from '#agent/identity/store.ts';
import { clientTlsOptions } from '#agent/tls/contexts.ts';
import { verifyPeer, type VerifiedPeer } from '#agent/tls/verified-peer.ts';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

export type ConnectProblem = 'unreachable' | 'handshake-failed' | 'wrong-peer' | 'peer-not-verified';

export interface ConnectOrder {
  readonly address: Address;
  readonly expected: SpiffeId;
  readonly identity: IdentitySnapshot;
  /** What to offer; empty = none. */
  readonly alpn: readonly string[];
  readonly deadlineMs: number;
}

/**
 * Dials mTLS and hands the connection over only if the server proved to be exactly `expected` under our own trust
 * bundle. TLS 1.3: the server may still refuse *our* certificate with its first message.
 */
export async function connectMtls(
  order: ConnectOrder,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<Result<{ socket: TLSSocket; peer: VerifiedPeer }, ConnectProblem>> {
  const opened = await handshake(order, clock, signal);
  if (!opened.ok) return opened;
  const socket = opened.value;
  const verified = verifyPeer(socket, { bundle: order.identity.bundle, nowMs: clock.now() });
  const problem = verified.ok
    ? verified.value.spiffeId === order.expected
      ? undefined
      : 'wrong-peer'
    : 'peer-not-verified';
  if (problem || !verified.ok) {
    socket.destroy();
    return refuse(problem ?? 'peer-not-verified');
  }
  return ok({ socket, peer: verified.value });
}

function handshake(
  order: ConnectOrder,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result<TLSSocket, 'unreachable' | 'handshake-failed'>> {
  return new Promise((resolve) => {
    let reached = false;
    const options: ConnectionOptions & { allowHalfOpen: true } = {
      host: order.address.host,
      port: order.address.port,
      ...clientTlsOptions(order.identity),
      ALPNProtocols: [...order.alpn],
      allowHalfOpen: true,
    };
    const socket = connect(options);
    socket.setNoDelay(true);
    const settle = (result: Result<TLSSocket, 'unreachable' | 'handshake-failed'>): void => {
      timer.cancel();
      signal.removeEventListener('abort', onFailure);
      socket.off('error', onFailure).off('close', onFailure);
      socket.on('error', () => undefined); // its 'close' tells; whoever owns the socket listens to that
      if (!result.ok) socket.destroy();
      resolve(result);
    };
    const onFailure = (): void => settle(refuse(reached ? 'handshake-failed' : 'unreachable'));
    const timer = clock.timer(order.deadlineMs, onFailure);
    signal.addEventListener('abort', onFailure, { once: true });
    socket.once('connect', () => {
      reached = true;
    });
    socket.once('error', onFailure).once('close', onFailure);
    socket.once('secureConnect', () => settle(ok(socket)));
  });
}
