const lineFeed = 0x0a;
const space = 0x20;
/** A request line has three words: method, target, version. */
const maxWords = 3;
const versionBegins = Buffer.from('HTTP/', 'latin1');
/** What may stand in its numbers for the laxest reader of them (Python's `int`). */
const versionGoesOn = Buffer.from('0123456789._+-', 'latin1');

type Reading = 'http' | 'opaque' | 'more';

/**
 * Reads a first line that no method begins, however its bytes are cut: a server that takes any word for a method still
 * wants three at most, the last one a version. Whatever goes on beyond that is nobody's request, which binary protocols
 * and log lines show soon. Some servers split at any blank, some at spaces only.
 */
export class LineWords {
  readonly #split = [new Words(isLaxBlank), new Words((code) => code === space || code === lineFeed || code === 0x0d)];

  /** `http`: the line has ended and is one. Nothing is to be read after another answer than `more`. */
  read(bytes: Buffer): Reading {
    let verdict: Reading = 'opaque';
    for (const words of this.#split) {
      const reading = words.read(bytes);
      if (reading === 'http') return 'http';
      if (reading === 'more') verdict = 'more';
    }
    return verdict;
  }
}

/** The words of a line as one way to split it has them. */
class Words {
  readonly #isBlank: (code: number) => boolean;
  #isOver = false;
  #words = 0;
  #isInWord = false;
  /** How much of `HTTP/` the word so far is; -1: something else. */
  #matched = -1;

  constructor(isBlank: (code: number) => boolean) {
    this.#isBlank = isBlank;
  }

  read(bytes: Buffer): Reading {
    if (this.#isOver) return 'opaque';
    for (const byte of bytes) {
      const reading = this.#readByte(byte);
      if (reading === 'more') continue;
      this.#isOver = true;
      return reading;
    }
    return 'more';
  }

  #readByte(byte: number): Reading {
    if (this.#isBlank(byte)) {
      this.#isInWord = false;
      if (byte !== lineFeed || this.#words === 0) return 'more';
      return this.#words > 1 && this.#matched === versionBegins.length ? 'http' : 'opaque';
    }
    if (!this.#isInWord) {
      this.#words += 1;
      if (this.#words > maxWords) return 'opaque';
      this.#isInWord = true;
      this.#matched = 0;
    }
    this.#match(byte);
    return 'more';
  }

  #match(byte: number): void {
    if (this.#matched < 0) return;
    if (this.#matched === versionBegins.length) {
      if (!versionGoesOn.includes(byte)) this.#matched = -1;
      return;
    }
    const isLetter = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
    const upper = isLetter ? byte & 0xdf : byte;
    this.#matched = upper === versionBegins[this.#matched] ? this.#matched + 1 : -1;
  }
}

/** What some server skips before a request line or splits it at: Python's `split()` knows the most. */
export function isLaxBlank(code: number): boolean {
  return (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20) || code === 0x85 || code === 0xa0;
}
