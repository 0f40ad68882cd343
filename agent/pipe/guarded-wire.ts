import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { TlsWire } from './tls-pipe.ts';

/**
 * A TCP connection as TLS's transport, to know which of the two ended first. Node tells a TLS stream's `end` both for
 * close_notify and for TCP's end without one; here TCP's end is kept back until TLS has read everything before it and
 * would have told its own.
 */
export class GuardedWire extends Duplex implements TlsWire {
  readonly raw: Socket;
  endedBeforeTls = false;
  #tls: TLSSocket | undefined;
  #rawEnded = false;
  #endPassedOn = false;

  constructor(raw: Socket) {
    super({ allowHalfOpen: true });
    this.raw = raw;
    this.pause();
    this.on('data', () => this.#passEndOn());
    this.on('error', nothing); // 'close' follows
    raw.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) raw.pause();
    });
    raw.once('end', () => {
      this.#rawEnded = true;
      this.#passEndOn();
    });
    raw.on('error', nothing);
    raw.once('close', () => {
      const isOrderly = this.#rawEnded && raw.writableFinished; // then TLS closes by itself
      if (!isOrderly) this.destroy();
    });
  }

  /** Names the TLS socket on top, as soon as it is made. */
  carries(tls: TLSSocket): void {
    this.#tls = tls;
    tls.once('end', () => {
      this.endedBeforeTls = this.#endPassedOn;
    });
  }

  override _read(): void {
    this.raw.resume();
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.raw.write(chunk, done);
  }
  override _final(done: (error?: Error | null) => void): void {
    this.raw.end(done);
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.raw.destroy();
    done(error);
  }

  /** Passes TCP's end on once TLS has been given all before it, and a turn in which to tell its own. */
  #passEndOn(): void {
    if (this.#rawEnded && this.readableLength === 0) setImmediate(() => this.#passEndOnUnlessUnread());
  }

  #passEndOnUnlessUnread(): void {
    if (this.#endPassedOn) return;
    const tls = this.#tls;
    if (tls !== undefined && tls.readableLength > 0) {
      // Nobody reads it now; an 'end' of its own would wait behind these bytes.
      tls.once('data', () => setImmediate(() => this.#passEndOnUnlessUnread()));
      return;
    }
    this.#endPassedOn = true;
    this.push(null);
  }
}

function nothing(): void {
  // nobody has to know
}
