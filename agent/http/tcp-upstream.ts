import { connect, type Socket } from 'node:net';
import type { Address } from '#agent/config-types.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { ByteChannel } from './channel.ts';
import type { Deadlines } from './deadlines.ts';
import type { Acquired, Upstream } from './serve.ts';

const connectMs = 5_000;
/** How long a kept connection may be idle when the app does not say; most servers keep theirs for 5 s or more. */
const idleMs = 4_000;
/** Kept connections end this much before the app would end them itself. */
const idleGuardMs = 1_000;

/** Connects in clear: to the local app, or past the mesh where that was asked for. */
export function connectTcp(address: Address, clock: Clock): Promise<Result<Socket, 'app-unreachable'>> {
  return new Promise((resolve) => {
    const socket = connect({ host: address.host, port: address.port, noDelay: true, allowHalfOpen: true });
    const settle = (result: Result<Socket, 'app-unreachable'>): void => {
      timer.cancel();
      socket.off('error', failed).off('close', failed);
      socket.on('error', () => undefined); // 'close' follows; whoever owns the socket listens to that
      if (!result.ok) socket.destroy();
      resolve(result);
    };
    const failed = (): void => settle(refuse('app-unreachable'));
    const timer = clock.timer(connectMs, failed);
    socket.once('error', failed).once('close', failed);
    socket.once('connect', () => settle(ok(socket)));
  });
}

export interface TcpUpstream extends Upstream<'app-unreachable'> {
  close(): void;
}

/** One caller's connection to an app: kept between its requests, and made anew when the app has closed it. */
export function createTcpUpstream(
  address: Address,
  { clock, deadlines }: { readonly clock: Clock; readonly deadlines: Deadlines },
): TcpUpstream {
  let kept: ByteChannel | undefined;
  const idle = deadlines.create(() => letGo());

  const letGo = (): void => {
    idle.clear();
    kept?.duplex.destroy();
    kept = undefined;
  };
  const connect = async (): Promise<Result<Acquired, 'app-unreachable'>> => {
    letGo();
    const connected = await connectTcp(address, clock);
    if (!connected.ok) return connected;
    kept = new ByteChannel(connected.value);
    return ok({ channel: kept, use: 'first' });
  };

  return {
    acquire() {
      idle.clear();
      return kept?.isIdle ? ok({ channel: kept, use: 'again' }) : connect();
    },
    release(next) {
      if (next.kind === 'drop') return letGo();
      idle.set(next.idleMs === undefined ? idleMs : Math.max(0, next.idleMs - idleGuardMs));
    },
    close() {
      letGo();
      idle.dispose();
    },
  };
}
