const lineFeed = 0x0a;

/**
 * The last head that was read on a connection, with its bytes: whoever keeps a connection alive mostly repeats its heads
 * byte for byte, and the same bytes read under the same limits mean the same.
 */
export class LastHead<H> {
  head: H | undefined;
  /** How many bytes the head has. */
  length = 0;
  #bytes: Buffer | undefined;

  /** Whether exactly this head begins at `at`. Its bytes hold one empty line, at their end, so it also ends where they do. */
  isAt(bytes: Buffer, at: number): boolean {
    const mine = this.#bytes;
    const end = at + this.length;
    if (mine === undefined || end > bytes.length || bytes[end - 1] !== lineFeed) return false;
    return bytes.compare(mine, 0, this.length, at, end) === 0;
  }

  /** Its bytes lie in `bytes` from `from` to `to`; they are copied. */
  keep(head: H, bytes: Buffer, from: number, to: number): void {
    this.head = head;
    this.length = to - from;
    if (this.#bytes === undefined || this.#bytes.length < this.length) {
      this.#bytes = Buffer.allocUnsafe((this.length + 127) & ~127);
    }
    bytes.copy(this.#bytes, 0, from, to);
  }

  forget(): void {
    this.#bytes = undefined;
    this.head = undefined;
    this.length = 0;
  }
}
