const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const endOfHead = '\r\n\r\n';
/** A head that goes on is looked at again when it has doubled, and at every such many bytes. */
const lookAgainBytes = 4_096;

/** Keeps a head that comes in pieces until parsing may tell more than before. */
export class HeadGatherer {
  #pieces: Buffer[] = [];
  #total = 0;
  #enough = 0;
  /** The last three bytes: an end may straddle two pieces. */
  #tail: Buffer | undefined;

  get isEmpty(): boolean {
    return this.#total === 0;
  }

  /** The beginning of a head, which parsing found incomplete. Copied, unless it is what `add` gave. */
  keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#pieces.length !== 1 || this.#pieces[0] !== bytes) this.#pieces = [Buffer.from(bytes)];
    this.#total = bytes.length;
    this.#enough = bytes.length + Math.min(bytes.length, lookAgainBytes);
    this.#tail = this.#pieces[0]!.subarray(-3);
  }

  /**
   * The next piece. Gives all bytes so far, ours, once they hold an end, a line that ends wrongly, or many more bytes
   * than before: never at every piece, for a head of thousands of tiny ones must not cost the square of its length.
   */
  add(piece: Buffer): Buffer | undefined {
    const tail = this.#tail!;
    const fresh = Buffer.concat([tail, piece]);
    this.#pieces.push(fresh.subarray(tail.length));
    this.#total += piece.length;
    this.#tail = fresh.subarray(-3);
    const isWorthALook =
      this.#total >= this.#enough || fresh.includes(endOfHead, 0, 'latin1') || hasLoneLineFeed(fresh, tail.length);
    if (!isWorthALook) return undefined;
    const all = Buffer.concat(this.#pieces, this.#total);
    this.#pieces = [all];
    return all;
  }

  clear(): void {
    if (this.#total === 0) return;
    this.#pieces = [];
    this.#total = 0;
    this.#tail = undefined;
  }
}

function hasLoneLineFeed(bytes: Buffer, from: number): boolean {
  for (let at = bytes.indexOf(lineFeed, from); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) {
    if (bytes[at - 1] !== carriageReturn) return true;
  }
  return false;
}
