import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { SocketPipe } from './socket-pipe.ts';
import { resetSocket } from './tcp-pipe.ts';

/** What lies below a TLS socket, as far as it is known. */
export interface TlsWire {
  /** The TCP connection, so that a cut can be a reset. Found out where TLS was put on a socket that existed before. */
  readonly raw?: Socket;
  /** What TLS told as its end came from TCP, not from the other end's close_notify. */
  readonly endedBeforeTls?: boolean;
}

/**
 * Node's TLS encrypts a write, or copies it, before `write` returns; this is no promise of its documentation, so a Node
 * that was not tested for it gets a copy.
 */
const encryptsAtOnce = ['24', '25', '26'].includes(process.versions.node.split('.')[0] ?? '');

/** Several writes: TLS takes one at a time and tells that it is done after the turn only, even where TCP took it at once. */
const fullBytes = 262_144;

/**
 * A TLS socket after its handshake, of either side, as a pipe; made before anything was read from it, it costs least.
 * Without a guarded `wire` (`guarded-tls.ts`) a stream that was cut without close_notify looks like one that ended.
 */
export class TlsPipe extends SocketPipe {
  readonly #wire: TlsWire;

  constructor(socket: TLSSocket, wire: TlsWire = {}) {
    super(socket, fullBytes);
    this.#wire = wire;
  }

  protected writePart(part: string | Buffer): 'in-flight' {
    if (typeof part === 'string') this.socket.write(part, 'latin1', this.onWritten);
    else this.socket.write(part, this.onWritten);
    return 'in-flight';
  }

  protected writeLarge(bytes: Buffer): boolean {
    if (encryptsAtOnce) this.socket.write(bytes, this.onWritten);
    return encryptsAtOnce;
  }

  protected isEndForged(): boolean {
    return this.#wire.endedBeforeTls === true;
  }

  protected breakOff(): void {
    const raw = this.#wire.raw ?? wrapped(this.socket);
    if (raw === undefined || raw.destroyed) this.socket.destroy();
    else resetSocket(raw);
  }
}

/** The socket that was accepted or given for TLS, where this Node tells; without it a cut is a mere close. */
function wrapped(socket: Socket): Socket | undefined {
  const parent: unknown = Reflect.get(socket, '_parent');
  return parent instanceof Socket ? parent : undefined;
}
