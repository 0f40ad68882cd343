/** Bytes that are not what the TLS presentation language says they are. Stays inside this folder: callers get a reason. */
export class MalformedWire extends Error {
  override readonly name = 'MalformedWire';
}

/** Reads the TLS presentation language (RFC 8446, section 3) from front to end; throws `MalformedWire`. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get hasMore(): boolean {
    return this.#at < this.#bytes.length;
  }

  uint(size: 1 | 2 | 3): number {
    return this.#take(size).readUIntBE(0, size);
  }

  /** A vector of opaque bytes whose length stands in front of it in `lengthSize` bytes. A view. */
  vector(lengthSize: 1 | 2 | 3): Buffer {
    return this.#take(this.uint(lengthSize));
  }

  /** Nothing may follow. */
  end(): void {
    if (this.hasMore) throw new MalformedWire();
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new MalformedWire();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

/** A vector of opaque bytes with its length in front. */
export function wireVector(lengthSize: 1 | 2 | 3, bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(lengthSize);
  length.writeUIntBE(bytes.length, 0, lengthSize);
  return Buffer.concat([length, bytes]);
}

export function wireUint(size: 1 | 2 | 3, value: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}
