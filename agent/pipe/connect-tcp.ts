import { connect, type Socket } from 'node:net';
import type { Address } from '#agent/config-types.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Pipe } from './pipe.ts';
import { TcpPipe } from './tcp-pipe.ts';

export interface ConnectTcpOptions {
  readonly clock: Clock;
  /** Default 5 s. */
  readonly deadlineMs?: number;
  /** Whoever aborts it hears `app-unreachable`. */
  readonly signal?: AbortSignal;
}

const defaultConnectMs = 5_000;

/** TCP asks an idle other end for a sign of life after this long: one that vanished would keep its connection for good. */
const keepAliveMs = 30_000;

/** Connects in clear: to the local app, or past the mesh where that was asked for. */
export async function connectTcp(
  address: Address,
  options: ConnectTcpOptions,
): Promise<Result<Pipe, 'app-unreachable'>> {
  const connected = await connectSocket(address, options);
  return connected.ok ? ok(new TcpPipe(connected.value)) : connected;
}

/** The socket alone, paused before its first byte: for who puts TLS on top. */
export function connectSocket(
  address: Address,
  { clock, deadlineMs = defaultConnectMs, signal }: ConnectTcpOptions,
): Promise<Result<Socket, 'app-unreachable'>> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve(refuse('app-unreachable'));
    const { host, port } = address;
    const socket = connect({
      host,
      port,
      noDelay: true,
      allowHalfOpen: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    });
    socket.pause();
    const settle = (result: Result<Socket, 'app-unreachable'>): void => {
      timer.cancel();
      signal?.removeEventListener('abort', failed);
      socket.off('connect', connected).off('error', failed).off('close', failed);
      socket.on('error', () => undefined); // 'close' follows; whoever owns the socket listens to that
      if (!result.ok) socket.destroy();
      resolve(result);
    };
    const connected = (): void => settle(ok(socket));
    const failed = (): void => settle(refuse('app-unreachable'));
    const timer = clock.timer(deadlineMs, failed);
    signal?.addEventListener('abort', failed, { once: true });
    socket.once('connect', connected).once('error', failed).once('close', failed);
  });
}
