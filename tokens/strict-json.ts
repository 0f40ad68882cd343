import { isUtf8 } from 'node:buffer';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | ReadonlyMap<string, JsonValue>;
export type JsonObject = ReadonlyMap<string, JsonValue>;

class MalformedJson extends Error {}

/** One for all: what callers send wrong must not cost a stack trace each. */
const malformed = new MalformedJson('malformed JSON');

const maxDepth = 16;
const maxNumberLength = 64;

const quote = 0x22;
const backslash = 0x5c;

/**
 * Reads one JSON object (RFC 8259) from bytes in one pass, or answers `undefined`. Stricter than the RFC, so that no two readers
 * see different things: UTF-8 without a byte order mark, no name twice at any depth, no lone surrogates, no numbers that lose
 * their value (I-JSON, RFC 7493), at most 16 levels; and no `__proto__` or `constructor` as a name (A9, A10).
 */
export function readJsonObject(bytes: Buffer): JsonObject | undefined {
  if (!isUtf8(bytes)) return undefined;
  try {
    const reader = new JsonReader(bytes.toString('utf8'));
    return reader.document();
  } catch (error) {
    if (error === malformed) return undefined;
    throw error;
  }
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

export function isJsonArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonObject {
    if (this.#next() !== 0x7b) throw malformed;
    const value = this.#object(1);
    if (!Number.isNaN(this.#next())) throw malformed;
    return value;
  }

  /** Code of the next character after blanks, which is taken; NaN at the end. */
  #next(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      this.#at += 1;
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
    }
  }

  #object(depth: number): JsonObject {
    if (depth > maxDepth) throw malformed;
    const members = new Map<string, JsonValue>();
    let code = this.#next();
    if (code === 0x7d) return members;
    for (;;) {
      if (code !== quote) throw malformed;
      const name = this.#string();
      if (name === '__proto__' || name === 'constructor' || members.has(name)) throw malformed;
      if (this.#next() !== 0x3a) throw malformed;
      members.set(name, this.#value(this.#next(), depth));
      code = this.#next();
      if (code === 0x7d) return members;
      if (code !== 0x2c) throw malformed;
      code = this.#next();
    }
  }

  #array(depth: number): readonly JsonValue[] {
    if (depth > maxDepth) throw malformed;
    const items: JsonValue[] = [];
    let code = this.#next();
    if (code === 0x5d) return items;
    for (;;) {
      items.push(this.#value(code, depth));
      code = this.#next();
      if (code === 0x5d) return items;
      if (code !== 0x2c) throw malformed;
      code = this.#next();
    }
  }

  /** `code` is the value's first character; it has been taken. */
  #value(code: number, depth: number): JsonValue {
    if (code === quote) return this.#string();
    if (code === 0x7b) return this.#object(depth + 1);
    if (code === 0x5b) return this.#array(depth + 1);
    if (code === 0x74) return this.#word('true', true);
    if (code === 0x66) return this.#word('false', false);
    if (code === 0x6e) return this.#word('null', null);
    return this.#number();
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at - 1)) throw malformed;
    this.#at += word.length - 1;
    return value;
  }

  #string(): string {
    const start = this.#at;
    for (let at = start; ; at += 1) {
      const code = this.#text.charCodeAt(at);
      if (code === quote) {
        this.#at = at + 1;
        return this.#text.slice(start, at);
      }
      if (code === backslash) return this.#escaped(start, at);
      if (!(code >= 0x20)) throw malformed; // NaN, the end, is refused as well
    }
  }

  /** The rest of a string whose first escape is at `at`. */
  #escaped(start: number, at: number): string {
    let value = this.#text.slice(start, at);
    this.#at = at;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      this.#at += 1;
      if (code === quote) break;
      if (code === backslash) value += this.#escape();
      else if (code >= 0x20) value += String.fromCharCode(code);
      else throw malformed;
    }
    if (!value.isWellFormed()) throw malformed;
    return value;
  }

  #escape(): string {
    const letter = this.#text.charAt(this.#at);
    this.#at += 1;
    if (letter !== 'u') {
      const index = letter === '' ? -1 : '"\\/bfnrt'.indexOf(letter);
      if (index < 0) throw malformed;
      return '"\\/\b\f\n\r\t'.charAt(index);
    }
    let unit = 0;
    for (let digit = 0; digit < 4; digit += 1) unit = unit * 16 + hexDigit(this.#text.charCodeAt(this.#at + digit));
    this.#at += 4;
    return String.fromCharCode(unit);
  }

  /** The first character has been taken. */
  #number(): number {
    const start = this.#at - 1;
    this.#at = start;
    if (this.#text.charCodeAt(start) === 0x2d) this.#at += 1;
    if (this.#text.charCodeAt(this.#at) === 0x30) this.#at += 1;
    else this.#digits();
    const integerEnd = this.#at;
    if (this.#text.charCodeAt(this.#at) === 0x2e) {
      this.#at += 1;
      this.#digits();
    }
    if ((this.#text.charCodeAt(this.#at) | 0x20) === 0x65) {
      this.#at += 1;
      const sign = this.#text.charCodeAt(this.#at);
      if (sign === 0x2b || sign === 0x2d) this.#at += 1;
      this.#digits();
    }
    if (this.#at - start > maxNumberLength) throw malformed;
    const value = Number(this.#text.slice(start, this.#at));
    const isInteger = this.#at === integerEnd;
    if (isInteger ? !Number.isSafeInteger(value) : !Number.isFinite(value)) throw malformed;
    return value;
  }

  /** At least one. */
  #digits(): void {
    const start = this.#at;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (!(code >= 0x30 && code <= 0x39)) break;
      this.#at += 1;
    }
    if (this.#at === start) throw malformed;
  }
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  if (lower >= 0x61 && lower <= 0x66) return lower - 0x57;
  throw malformed;
}
