import type { Stream } from './stream.ts';

/** Streams that we broke off; the peer may not know it yet, so that frames still come for them. */
const rememberedResets = 4_096;

/** The streams of one session by number. */
export class StreamTable {
  /** The highest number that the peer has used for a stream. */
  lastPeerId = 0;
  readonly #streams = new Map<number, Stream>();
  readonly #resets = new Set<number>();
  /** The last one asked for: frames of one stream come in a row. */
  #last: Stream | undefined;
  readonly #onRemoved: (stream: Stream) => void;

  constructor(onRemoved: (stream: Stream) => void) {
    this.#onRemoved = onRemoved;
  }

  get size(): number {
    return this.#streams.size;
  }
  values(): IterableIterator<Stream> {
    return this.#streams.values();
  }

  get(id: number): Stream | undefined {
    const last = this.#last;
    if (last !== undefined && last.id === id) return last;
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#last = stream;
    return stream;
  }

  add(stream: Stream): void {
    this.#streams.set(stream.id, stream);
    this.#last = stream;
  }

  /** Takes the stream off once both sides have ended. */
  settle(stream: Stream): void {
    if (stream.localEnded && stream.remoteEnded && !stream.endsAfterQueue) this.remove(stream);
  }

  remove(stream: Stream): void {
    if (stream.isClosed) return;
    stream.isClosed = true;
    stream.localEnded = true;
    stream.remoteEnded = true;
    if (this.#last === stream) this.#last = undefined;
    this.#streams.delete(stream.id);
    this.#onRemoved(stream);
  }

  /** Late frames for this number are to be ignored. */
  rememberReset(id: number): void {
    this.#resets.add(id);
    if (this.#resets.size <= rememberedResets) return;
    for (const oldest of this.#resets) {
      this.#resets.delete(oldest);
      break;
    }
  }

  wasReset(id: number): boolean {
    return this.#resets.has(id);
  }
}
