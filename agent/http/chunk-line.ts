import { charClass, tokenChar, valueChar } from './header-field.ts';

export type ChunkLineProblem =
  | 'bad-chunk-size'
  | 'chunk-too-large'
  | 'bad-chunk-extension'
  | 'chunk-extension-too-long';

type Place =
  | 'size'
  | 'extension'
  | 'extension-name'
  | 'extension-value'
  | 'token'
  | 'quoted'
  | 'escaped'
  | 'after-quoted'
  | 'line-feed';

const maxSizeDigits = 16;
const maxExtensionBytes = 256;
/** All extensions of one body: tiny chunks must not carry more of them than data. */
const maxExtensionBytesPerBody = 16_384;

/**
 * Reads the line in front of each chunk, `1a;name=value` CRLF, byte by byte (RFC 9112, section 7.1). Extensions must be
 * well formed and are dropped; no blanks anywhere.
 */
export class ChunkLineReader {
  /** Of the line that is complete; at most 2^53 − 1. */
  size = 0;
  #digits = 0;
  #place: Place = 'size';
  #extensionBytes = 0;
  #extensionBytesBefore = 0;

  /** A body begins. */
  begin(): void {
    this.next();
    this.#extensionBytesBefore = 0;
  }

  /** Another chunk of the same body. */
  next(): void {
    this.size = 0;
    this.#digits = 0;
    this.#place = 'size';
    this.#extensionBytesBefore += this.#extensionBytes;
    this.#extensionBytes = 0;
  }

  take(byte: number): 'more' | 'complete' | ChunkLineProblem {
    if (this.#place === 'size') return this.#takeSize(byte);
    if (this.#place === 'line-feed') return byte === 0x0a ? 'complete' : 'bad-chunk-size';
    this.#extensionBytes += 1;
    const isTooLong =
      this.#extensionBytes > maxExtensionBytes ||
      this.#extensionBytesBefore + this.#extensionBytes > maxExtensionBytesPerBody;
    if (isTooLong) return 'chunk-extension-too-long';
    const next = this.#afterExtensionByte(byte);
    if (next === undefined) return 'bad-chunk-extension';
    this.#place = next;
    return 'more';
  }

  #takeSize(byte: number): 'more' | ChunkLineProblem {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#digits += 1;
      this.size = this.size * 16 + digit;
      if (this.#digits > maxSizeDigits) return 'bad-chunk-size';
      return this.size > Number.MAX_SAFE_INTEGER ? 'chunk-too-large' : 'more';
    }
    const next = this.#digits > 0 ? afterPart(byte) : undefined;
    if (next === undefined) return 'bad-chunk-size';
    this.#place = next;
    return 'more';
  }

  #afterExtensionByte(byte: number): Place | undefined {
    const bits = charClass[byte] ?? 0;
    const isToken = (bits & tokenChar) !== 0;
    switch (this.#place) {
      case 'extension':
        return isToken ? 'extension-name' : undefined;
      case 'extension-name':
        if (isToken) return 'extension-name';
        return byte === 0x3d ? 'extension-value' : afterPart(byte);
      case 'extension-value':
        if (byte === 0x22) return 'quoted';
        return isToken ? 'token' : undefined;
      case 'token':
        return isToken ? 'token' : afterPart(byte);
      case 'quoted':
        if (byte === 0x22) return 'after-quoted';
        if (byte === 0x5c) return 'escaped';
        return (bits & valueChar) === 0 ? undefined : 'quoted';
      case 'escaped':
        return (bits & valueChar) === 0 ? undefined : 'quoted';
      default:
        return afterPart(byte);
    }
  }
}

/** What may follow a whole size, name or value: another extension, or the end of the line. */
function afterPart(byte: number): Place | undefined {
  if (byte === 0x0d) return 'line-feed';
  return byte === 0x3b ? 'extension' : undefined;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
