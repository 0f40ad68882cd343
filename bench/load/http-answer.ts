/** Reads answers of known kind, as fast as JavaScript can: status 200 and a length, nothing else is expected. */
export class AnswerReader {
  #started: Buffer | undefined;
  #missing = 0;
  #lastHead = Buffer.alloc(0);
  #lastLength = 0;

  /** Body bytes in `bytes`; calls `done` at the end of each answer. Throws on any other kind of answer. */
  take(bytes: Buffer, done: () => void): number {
    let [at, body] = [0, 0];
    let input = bytes;
    if (this.#started !== undefined) {
      input = Buffer.concat([this.#started, bytes]);
      this.#started = undefined;
    }
    while (at < input.length) {
      if (this.#missing === 0) {
        const end = input.indexOf('\r\n\r\n', at, 'latin1');
        if (end === -1) {
          this.#started = Buffer.from(input.subarray(at));
          return body;
        }
        this.#missing = this.#lengthIn(input, at, end + 4);
        at = end + 4;
      }
      const part = Math.min(this.#missing, input.length - at);
      this.#missing -= part;
      at += part;
      body += part;
      if (this.#missing === 0) done();
    }
    return body;
  }

  /** Answers are mostly the same as the one before. */
  #lengthIn(input: Buffer, from: number, to: number): number {
    const known = this.#lastHead;
    if (to - from === known.length && input.compare(known, 0, known.length, from, to) === 0) return this.#lastLength;
    this.#lastHead = Buffer.from(input.subarray(from, to));
    this.#lastLength = bodyLength(this.#lastHead.toString('latin1'));
    return this.#lastLength;
  }
}

function bodyLength(head: string): number {
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1];
  if (!head.startsWith('HTTP/1.1 200 ') || length === undefined || length === '0') {
    throw new Error(`not the answer that was expected: ${head.slice(0, 300)}`);
  }
  return Number(length);
}
