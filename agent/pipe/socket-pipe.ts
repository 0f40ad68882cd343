import type { Socket } from 'node:net';
import { Gather } from './gather.ts';
import { deafReader } from './deaf-reader.ts';
import type { Pipe, PipeReader } from './pipe.ts';
import { pushReads } from './push-reads.ts';
import { largeBytes } from './slabs.ts';
import { later, type Flushable } from './turn.ts';

/** What TCP and TLS sockets have in common as pipes. One write is with the socket at a time, the rest is gathered. */
export abstract class SocketPipe implements Pipe, Flushable {
  reader: PipeReader = deafReader;
  protected readonly socket: Socket;
  /**
   * So many unsent bytes or more and `write` answers false; below half of it there is room again. At least what one
   * write takes: so much does not wait unless another write is in flight, and its end will tell of room.
   */
  readonly #fullBytes: number;
  readonly #gather = new Gather();
  /** Bytes that the socket has taken but not sent. */
  #inFlight = 0;
  #isQueued = false;
  #isFull = false;
  #isPaused = true;
  #weEnded = false;
  #weEndedSocket = false;
  #hangsUp = false;
  #theyEnded = false;
  #endTold = false;
  /** `cut`: the reader is to hear of nothing but that. `closed`: in order, but the reader is paused before the end. */
  #state: 'open' | 'cut' | 'closed' = 'open';
  #cutTold = false;
  /** Arrived while paused; a socket may still hand over what it had read. */
  #held: Buffer[] | undefined;

  protected constructor(socket: Socket, fullBytes: number) {
    this.socket = socket;
    this.#fullBytes = fullBytes;
    socket.pause();
    pushReads(socket, (bytes) => this.#onBytes(bytes));
    socket.pause(); // a socket that reads already stops now that it knows where to
    socket.on('end', () => this.#onEnd());
    if (socket.readableEnded) setImmediate(() => this.#onEnd());
    socket.on('error', nothing); // 'close' follows
    socket.on('close', () => this.#onClose());
    if (socket.destroyed) setImmediate(() => this.#tellCut()); // its 'close' may have been
  }

  get isOpen(): boolean {
    return !this.#weEnded && !this.#theyEnded && this.#state === 'open';
  }
  get unsentBytes(): number {
    return this.#gather.length + this.#inFlight;
  }

  write(bytes: Buffer): boolean {
    if (this.#weEnded || this.#state !== 'open' || bytes.length === 0) return !this.#isFull;
    if (bytes.length >= largeBytes / 4 && this.unsentBytes === 0 && this.writeLarge(bytes)) {
      this.#inFlight = bytes.length;
    } else {
      this.#gather.addBytes(bytes);
    }
    return this.#afterWrite();
  }

  writeText(text: string): boolean {
    if (this.#weEnded || this.#state !== 'open' || text.length === 0) return !this.#isFull;
    this.#gather.addText(text);
    return this.#afterWrite();
  }

  #afterWrite(): boolean {
    if (this.#inFlight === 0) {
      this.#send(largeBytes);
      this.#queue();
    }
    if (this.#gather.length + this.#inFlight >= this.#fullBytes) this.#isFull = true;
    return !this.#isFull;
  }

  flush(): void {
    this.#isQueued = false;
    if (this.#state !== 'open') return;
    this.#send(1);
    if (this.#weEnded && !this.#weEndedSocket && this.#gather.length === 0) this.#endSocket();
  }

  #endSocket(): void {
    if (this.#hangsUp && this.#inFlight > 0) return; // would be lost
    this.#weEndedSocket = true;
    if (this.#hangsUp) this.socket.destroy();
    else this.socket.end();
  }

  /** Sends what waits, as long as that is `atLeast` so many bytes and the socket takes them. */
  #send(atLeast: number): void {
    const gather = this.#gather;
    while (this.#inFlight === 0 && gather.length >= atLeast) {
      const part = gather.next();
      this.#inFlight = part.length;
      if (this.writePart(part) === 'sent') {
        this.#inFlight = 0;
        gather.returnLent();
      }
    }
  }

  end(): void {
    if (this.#weEnded || this.#state !== 'open') return;
    this.#weEnded = true;
    this.#queue();
  }

  /** What `hangUp` does where it can. */
  protected endBoth(): void {
    if (!this.#weEnded) this.#hangsUp = true;
    this.end();
  }

  cut(): void {
    if (this.#state === 'cut') return;
    if (this.#state === 'open') this.breakOff();
    else setImmediate(() => this.#tellCut());
    this.#state = 'cut';
    this.#held = undefined;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#held === undefined && !this.#theyEnded) this.socket.resume();
    else setImmediate(() => this.#tellHeld()); // readers are not called from inside their own calls
  }

  /** Hands one write to the socket; `in-flight` ones end with `onWritten`. */
  protected abstract writePart(part: string | Buffer): 'sent' | 'in-flight';
  /** The same for bytes that are the caller's and may change afterwards; false where they have to be copied. */
  protected abstract writeLarge(bytes: Buffer): boolean;
  /** Ends the connection so that the other end sees a break. */
  protected abstract breakOff(): void;
  /** Whether the end of what arrived is one that somebody else could have made. */
  protected abstract isEndForged(): boolean;

  /** What was in flight has left. */
  protected readonly onWritten = (error?: Error | null): void => {
    if (error || this.#state !== 'open') return; // 'close' follows
    this.#inFlight = 0;
    this.#gather.returnLent();
    this.flush();
    if (!this.#isFull || this.unsentBytes >= this.#fullBytes / 2) return;
    this.#isFull = false;
    this.reader.onDrain();
  };

  /** Tells what arrived while the reader was paused, as far as it goes on reading. */
  #tellHeld(): void {
    while (!this.#isPaused && this.#state !== 'cut') {
      const bytes = this.#held?.shift();
      if (bytes === undefined) break;
      this.reader.onBytes(bytes);
    }
    if (this.#isPaused || this.#state === 'cut') return;
    this.#held = undefined;
    if (!this.#theyEnded) this.socket.resume();
    else if (!this.#endTold) this.#tellEnd();
    if (this.#state === 'closed') this.#tellCut();
  }

  /** The reader's last word. */
  #tellCut(): void {
    if (this.#cutTold) return;
    this.#cutTold = true;
    this.#state = 'cut';
    this.#held = undefined;
    this.reader.onCut();
  }

  #queue(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    later(this);
  }

  #onBytes(bytes: Buffer): void {
    if (this.#state !== 'open') return;
    if (this.#isPaused || this.#held !== undefined) (this.#held ??= []).push(Buffer.from(bytes));
    else this.reader.onBytes(bytes);
  }

  #onEnd(): void {
    if (this.#state !== 'open') return;
    if (this.isEndForged()) return this.cut();
    this.#theyEnded = true;
    if (!this.#isPaused && this.#held === undefined) this.#tellEnd();
  }

  #tellEnd(): void {
    this.#endTold = true;
    this.reader.onEnd();
  }

  #onClose(): void {
    const isOrderly = this.#state === 'open' && this.#theyEnded && this.socket.writableFinished;
    if (isOrderly && !this.#endTold) this.#state = 'closed';
    else this.#tellCut();
  }
}

function nothing(): void {
  // nobody reads yet, or it is told otherwise
}
