import type { Duplex } from 'node:stream';

/** Bytes read ahead of whoever consumes them before the sender is told to wait. */
const highWaterBytes = 65_536;

/** The other end went away in the middle: reset, destroyed, or closed without saying that it had finished. */
export class ChannelCut extends Error {
  override readonly name = 'ChannelCut';
}

/**
 * A duplex read by pulling: `read` gives the next bytes in order, `undefined` once after a clean end, and rejects with
 * `ChannelCut` when the stream broke. Holds at most one pending read. Listens from the start, so that a peer that
 * leaves while nobody reads is noticed (`isIdle`).
 */
export class ByteChannel {
  readonly duplex: Duplex;
  /** Called once when the stream breaks, whether or not anybody reads. */
  onCut: (() => void) | undefined;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #state: 'open' | 'ended' | 'cut' = 'open';
  #cause: unknown;
  #reader: { resolve(bytes: Buffer | undefined): void; reject(error: Error): void } | undefined;
  #drained: { promise: Promise<void>; resolve(): void; reject(error: Error): void } | undefined;

  readonly #onData = (bytes: Buffer): void => {
    const reader = this.#reader;
    if (reader) {
      this.#reader = undefined;
      reader.resolve(bytes);
      return;
    }
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > highWaterBytes) this.duplex.pause();
  };
  readonly #onEnd = (): void => this.#finish('ended', undefined);
  readonly #onError = (error: Error): void => this.#finish('cut', error);
  readonly #onClose = (): void => this.#finish('cut', undefined);
  readonly #onDrain = (): void => {
    this.#drained?.resolve();
    this.#drained = undefined;
  };

  constructor(duplex: Duplex) {
    this.duplex = duplex;
    duplex.on('data', this.#onData);
    duplex.on('end', this.#onEnd);
    duplex.on('error', this.#onError);
    duplex.on('close', this.#onClose);
    duplex.on('aborted', this.#onClose); // an HTTP/2 stream that was reset also says 'end' afterwards
    duplex.on('drain', this.#onDrain);
    if (duplex.isPaused()) duplex.resume(); // handed over by somebody who had stopped reading
  }

  /** Open in both directions and nothing unread: a message may begin here. */
  get isIdle(): boolean {
    return this.#state === 'open' && this.#queue.length === 0 && this.duplex.writable;
  }

  /** What was read ahead, at once; undefined when there is nothing yet. */
  next(): Buffer | undefined {
    const bytes = this.#queue.shift();
    if (!bytes) return undefined;
    this.#queuedBytes -= bytes.length;
    if (this.#queuedBytes <= highWaterBytes / 2 && this.duplex.isPaused()) this.duplex.resume();
    return bytes;
  }

  read(): Promise<Buffer | undefined> {
    const bytes = this.next();
    if (bytes) return Promise.resolve(bytes);
    if (this.#state === 'ended') return Promise.resolve(undefined);
    if (this.#state === 'cut') return Promise.reject(this.#cutError());
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** Puts bytes back in front: the rest of a chunk that held the end of one message and the start of the next. */
  unread(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#queue.unshift(bytes);
    this.#queuedBytes += bytes.length;
  }

  /** Writes; the promise, where there is one, settles when the other side has taken enough to go on. */
  write(bytes: Buffer): Promise<void> | undefined {
    if (this.duplex.destroyed || !this.duplex.writable) return Promise.reject(this.#cutError());
    if (this.duplex.write(bytes)) return undefined;
    if (!this.#drained) {
      const waiting = Promise.withResolvers<void>();
      waiting.promise.catch(() => undefined); // a writer that has left must not make the rejection a fault
      this.#drained = waiting;
    }
    return this.#drained.promise;
  }

  /** Stops listening and hands back what was read ahead; the duplex then belongs to the caller. */
  release(): Buffer[] {
    this.duplex.off('data', this.#onData);
    this.duplex.off('end', this.#onEnd);
    this.duplex.off('error', this.#onError);
    this.duplex.off('close', this.#onClose);
    this.duplex.off('aborted', this.#onClose);
    this.duplex.off('drain', this.#onDrain);
    this.duplex.pause();
    return this.#queue.splice(0);
  }

  /** Throws away what was and what will be read. */
  discard(): void {
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.duplex.off('data', this.#onData);
    this.duplex.resume();
  }

  #finish(state: 'ended' | 'cut', cause: unknown): void {
    if (this.#state === 'open') {
      this.#state = state;
      this.#cause = cause;
    }
    const reader = this.#reader;
    this.#reader = undefined;
    if (this.#state === 'ended') reader?.resolve(undefined);
    else reader?.reject(this.#cutError());
    if (state === 'cut') {
      this.#drained?.reject(this.#cutError());
      this.#drained = undefined;
      const onCut = this.onCut;
      this.onCut = undefined;
      onCut?.();
    }
  }

  #cutError(): ChannelCut {
    return new ChannelCut('the stream was cut', { cause: this.#cause });
  }
}
