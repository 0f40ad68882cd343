import type { Socket } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Address } from '#agent/config-types.ts';
import type { IdentitySnapshot } from '#agent/identity/store.ts';
import { connectSocket } from '#agent/pipe/connect-tcp.ts';
import { guardedClient } from '#agent/pipe/guarded-tls.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { TlsPipe } from '#agent/pipe/tls-pipe.ts';
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

/** A TLS connection whose other end has proved to be the one that was meant. */
export interface Link {
  readonly pipe: Pipe;
  /** For its exporter, ALPN, and its 'close'; its bytes are the pipe's. */
  readonly socket: TLSSocket;
  readonly peer: VerifiedPeer;
}

export type OpenLink = (order: ConnectOrder) => Promise<Result<Link, ConnectProblem>>;

interface ConnectParts {
  readonly clock: Clock;
  /** Ends what is being connected. */
  readonly signal: AbortSignal;
}

/**
 * Dials mTLS and hands the connection over only if the server proved to be exactly `expected` under our own trust
 * bundle. TLS 1.3: the server may still refuse *our* certificate with its first message.
 */
export async function openLink(order: ConnectOrder, parts: ConnectParts): Promise<Result<Link, ConnectProblem>> {
  const connected = await connectMtls(order, parts);
  return connected.ok ? ok({ ...connected.value, pipe: new TlsPipe(connected.value.socket) }) : connected;
}

/** The same over a wire of ours, so that a stream that was cut does not look ended (A76); it costs more per byte. */
export async function openGuardedLink(
  order: ConnectOrder,
  { clock, signal }: ConnectParts,
): Promise<Result<Link, ConnectProblem>> {
  const giveUpMs = clock.monotonic() + order.deadlineMs;
  const raw = await connectSocket(order.address, { clock, signal, deadlineMs: order.deadlineMs });
  if (!raw.ok) return refuse('unreachable');
  const { socket, toPipe } = guardedClient(raw.value, tlsOptions(order));
  const shaken = await handshake(socket, { clock, signal, deadlineMs: giveUpMs - clock.monotonic() });
  if (!shaken.ok) return refuse('handshake-failed');
  const peer = judge(socket, order, clock);
  return peer.ok ? ok({ pipe: toPipe(), socket, peer: peer.value }) : peer;
}

async function connectMtls(
  order: ConnectOrder,
  { clock, signal }: ConnectParts,
): Promise<Result<{ socket: TLSSocket; peer: VerifiedPeer }, ConnectProblem>> {
  const { host, port } = order.address;
  const options: ConnectionOptions & { allowHalfOpen: true } = {
    host,
    port,
    ...tlsOptions(order),
    allowHalfOpen: true,
  };
  const socket = connect(options);
  socket.setNoDelay(true);
  const shaken = await handshake(socket, { clock, signal, deadlineMs: order.deadlineMs });
  if (!shaken.ok) return shaken;
  const peer = judge(socket, order, clock);
  return peer.ok ? ok({ socket, peer: peer.value }) : peer;
}

function tlsOptions({ identity, alpn }: ConnectOrder): ConnectionOptions {
  return { ...clientTlsOptions(identity), ALPNProtocols: [...alpn] };
}

function judge(
  socket: TLSSocket,
  { identity, expected }: ConnectOrder,
  clock: Clock,
): Result<VerifiedPeer, 'wrong-peer' | 'peer-not-verified'> {
  const verified = verifyPeer(socket, { bundle: identity.bundle, nowMs: clock.now() });
  if (verified.ok && verified.value.spiffeId === expected) return verified;
  socket.destroy();
  return refuse(verified.ok ? 'wrong-peer' : 'peer-not-verified');
}

function handshake(
  socket: TLSSocket & Socket,
  { clock, signal, deadlineMs }: ConnectParts & { readonly deadlineMs: number },
): Promise<Result<undefined, 'unreachable' | 'handshake-failed'>> {
  return new Promise((resolve) => {
    let reached = false;
    const settle = (result: Result<undefined, 'unreachable' | 'handshake-failed'>): void => {
      timer.cancel();
      signal.removeEventListener('abort', onFailure);
      socket.off('error', onFailure).off('close', onFailure);
      socket.on('error', () => undefined); // its 'close' tells; whoever owns the socket listens to that
      if (!result.ok) socket.destroy();
      resolve(result);
    };
    const onFailure = (): void => settle(refuse(reached ? 'handshake-failed' : 'unreachable'));
    const timer = clock.timer(deadlineMs, onFailure);
    signal.addEventListener('abort', onFailure, { once: true });
    socket.once('connect', () => {
      reached = true;
    });
    socket.once('error', onFailure).once('close', onFailure);
    socket.once('secureConnect', () => settle(ok(undefined)));
  });
}
