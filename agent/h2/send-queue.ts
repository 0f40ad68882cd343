/** Bytes that wait for window or wire, in the order they were given. */
export class SendQueue {
  readonly #chunks: Buffer[] = [];
  #first = 0;
  /** Bytes of the first chunk that have been taken. */
  #taken = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a copy. */
  push(bytes: Buffer): void {
    this.#chunks.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
  }

  /** The next bytes, at most so many and at least one: a slice of one chunk. The queue must not be empty. */
  take(atMost: number): Buffer {
    const chunk = this.#chunks[this.#first]!;
    const end = Math.min(chunk.length, this.#taken + atMost);
    const slice = chunk.subarray(this.#taken, end);
    this.#bytes -= slice.length;
    this.#taken = end;
    if (end === chunk.length) this.#dropFirst();
    return slice;
  }

  #dropFirst(): void {
    this.#taken = 0;
    this.#first += 1;
    if (this.#first < 64 && this.#first < this.#chunks.length) return;
    this.#chunks.splice(0, this.#first);
    this.#first = 0;
  }
}
