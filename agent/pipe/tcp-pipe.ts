import type { Socket } from 'node:net';
import { noBytes } from './no-bytes.ts';
import { largeBytes } from './slabs.ts';
import { SocketPipe } from './socket-pipe.ts';

/**
 * A connected or accepted TCP socket as a pipe; the socket is the pipe's from here on. Make it with `allowHalfOpen`
 * and `noDelay`, and accept it with `pauseOnConnect`.
 */
export class TcpPipe extends SocketPipe {
  constructor(socket: Socket) {
    super(socket, largeBytes);
  }

  hangUp(): void {
    this.endBoth();
  }

  protected writePart(part: string | Buffer): 'sent' | 'in-flight' {
    const { socket } = this;
    if (typeof part === 'string') socket.write(part, 'latin1');
    else socket.write(part);
    if (socket.writableLength === 0) return 'sent'; // nearly always: the kernel took it all, and nobody was called back
    socket.write(noBytes, this.onWritten);
    return 'in-flight';
  }

  /** The kernel may take a part only, and the rest would be read later. */
  protected writeLarge(): boolean {
    return false;
  }

  protected isEndForged(): boolean {
    return false;
  }

  protected breakOff(): void {
    resetSocket(this.socket);
  }
}

/** Ends a TCP connection by RST where that can be done. */
export function resetSocket(socket: Socket): void {
  // While it is being shut down it cannot be: libuv refuses, and Node would leave the socket open for good.
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
