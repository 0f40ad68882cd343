import { giveSlab, largeBytes as slabBytes, takeSlab } from '#agent/pipe/slabs.ts';

/** From here on bytes are kept in slabs, which they fill to a quarter at least; fewer get memory of their size. */
const slabWorthBytes = slabBytes / 4;

/** Bytes in memory of ours: a slab, perhaps with room for more, or just as many as they are. */
interface Chunk {
  readonly memory: Buffer;
  end: number;
}

/** Bytes that wait for window or wire, in the order they were given. */
export class SendQueue {
  readonly #chunks: Chunk[] = [];
  #first = 0;
  /** Bytes of the first chunk that have been taken. */
  #taken = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a copy. */
  push(bytes: Buffer): void {
    this.#bytes += bytes.length;
    let from = this.#fill(this.#chunks.at(-1), bytes, 0);
    while (from < bytes.length) {
      const left = bytes.length - from;
      const chunk = { memory: left < slabWorthBytes ? Buffer.allocUnsafe(left) : takeSlab(slabBytes), end: 0 };
      this.#chunks.push(chunk);
      from = this.#fill(chunk, bytes, from);
    }
  }

  /** The next bytes, at most so many and at least one, valid until they are dropped. The queue must not be empty. */
  peek(atMost: number): Buffer {
    const { memory, end } = this.#chunks[this.#first]!;
    return memory.subarray(this.#taken, Math.min(end, this.#taken + atMost));
  }

  /** Forgets so many bytes of what `peek` showed. */
  drop(bytes: number): void {
    this.#bytes -= bytes;
    this.#taken += bytes;
    if (this.#taken === this.#chunks[this.#first]!.end) this.#dropFirst();
  }

  /** Forgets everything. */
  clear(): void {
    for (const { memory } of this.#chunks.slice(this.#first)) giveBack(memory);
    this.#chunks.length = 0;
    this.#first = 0;
    this.#taken = 0;
    this.#bytes = 0;
  }

  /** Copies as much as there is room for; answers where it stopped. */
  #fill(chunk: Chunk | undefined, bytes: Buffer, from: number): number {
    if (chunk === undefined) return from;
    const copied = bytes.copy(chunk.memory, chunk.end, from);
    chunk.end += copied;
    return from + copied;
  }

  #dropFirst(): void {
    giveBack(this.#chunks[this.#first]!.memory);
    this.#taken = 0;
    this.#first += 1;
    if (this.#first < 64 && this.#first < this.#chunks.length) return;
    this.#chunks.splice(0, this.#first);
    this.#first = 0;
  }
}

function giveBack(memory: Buffer): void {
  if (memory.length === slabBytes) giveSlab(memory);
}
