import { ChunkLineReader, type ChunkLineProblem } from './chunk-line.ts';
import type { Framing } from './framing.ts';
import { foldedName, readFieldLines, type HeaderField } from './header-field.ts';
import { isReservedName } from './reserved.ts';
import { writeFieldLines } from './write.ts';

export interface BodyLimits {
  readonly maxTrailerBytes: number;
  readonly maxTrailers: number;
}

export type BodyProblem = ChunkLineProblem | 'bad-chunk-end' | 'trailers-too-large' | 'bad-trailer';

export type BodyReading =
  | {
      readonly kind: 'data';
      /** Views of the bytes read, in order; no copies, no empty ones. */
      readonly data: readonly Buffer[];
      /** How many of the bytes belonged to this message. */
      readonly consumed: number;
      readonly done: boolean;
      /** Once `done`, where there are any: without those that do not belong in trailers. */
      readonly trailers?: readonly HeaderField[];
    }
  | { readonly kind: 'refused'; readonly reason: BodyProblem };

export interface BodyReader {
  /** Takes the next bytes. After a refusal every further call is refused alike; after the end nothing is consumed. */
  read(bytes: Buffer): BodyReading;
  /** The message is over. With framing `until-close` only the stream's end says so, never this. */
  readonly done: boolean;
}

/** Reads a body however its bytes are cut into pieces (RFC 9112, sections 6 and 7). */
export function createBodyReader(framing: Framing, limits: BodyLimits): BodyReader {
  switch (framing.kind) {
    case 'none':
      return new LengthReader(0);
    case 'length':
      return new LengthReader(framing.bytes);
    case 'until-close':
      return new LengthReader(Infinity);
    case 'chunked':
      return new ChunkedReader(limits);
  }
}

class LengthReader implements BodyReader {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  read(bytes: Buffer): BodyReading {
    const consumed = Math.min(this.#left, bytes.length);
    this.#left -= consumed;
    const data = consumed === 0 ? [] : [consumed === bytes.length ? bytes : bytes.subarray(0, consumed)];
    return { kind: 'data', data, consumed, done: this.#left === 0 };
  }
}

const nothing: Buffer = Buffer.alloc(0);

class ChunkedReader implements BodyReader {
  readonly #limits: BodyLimits;
  readonly #line = new ChunkLineReader();
  #place: 'line' | 'data' | 'data-cr' | 'data-lf' | 'trailers' | 'done' = 'line';
  #left = 0;
  #trailerBytes: Buffer = nothing;
  #trailers: readonly HeaderField[] = [];
  #problem: BodyProblem | undefined;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  get done(): boolean {
    return this.#place === 'done';
  }

  read(bytes: Buffer): BodyReading {
    const data: Buffer[] = [];
    let at = 0;
    while (at < bytes.length && !this.done && this.#problem === undefined) {
      if (this.#place === 'data') {
        const end = Math.min(at + this.#left, bytes.length);
        data.push(bytes.subarray(at, end));
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#place = 'data-cr';
      } else if (this.#place === 'trailers') at = this.#readTrailers(bytes, at);
      else this.#takeByte(bytes[at++]!);
    }
    if (this.#problem !== undefined) return { kind: 'refused', reason: this.#problem };
    const reading = { kind: 'data', data, consumed: at, done: this.done } as const;
    return this.done && this.#trailers.length > 0 ? { ...reading, trailers: this.#trailers } : reading;
  }

  #takeByte(byte: number): void {
    if (this.#place === 'line') return this.#takeLineByte(byte);
    if (byte !== (this.#place === 'data-cr' ? 0x0d : 0x0a)) this.#problem = 'bad-chunk-end';
    else if (this.#place === 'data-cr') this.#place = 'data-lf';
    else {
      this.#place = 'line';
      this.#line.next();
    }
  }

  #takeLineByte(byte: number): void {
    const taken = this.#line.take(byte);
    if (taken === 'more') return;
    if (taken !== 'complete') this.#problem = taken;
    else if (this.#line.size === 0) this.#place = 'trailers';
    else {
      this.#left = this.#line.size;
      this.#place = 'data';
    }
  }

  /** Gathers trailers until the empty line after them; the offset behind what was taken. */
  #readTrailers(bytes: Buffer, at: number): number {
    const before = this.#trailerBytes.length;
    const fresh = bytes.subarray(at, at + this.#limits.maxTrailerBytes + 4 - before);
    const gathered = before === 0 ? fresh : Buffer.concat([this.#trailerBytes, fresh]);
    const end = endOfTrailers(gathered);
    if (end === undefined) {
      if (gathered.length >= this.#limits.maxTrailerBytes + 4) this.#problem = 'trailers-too-large';
      this.#trailerBytes = before === 0 ? Buffer.from(fresh) : gathered; // a copy: the caller may reuse its bytes
      return at + fresh.length;
    }
    const text = gathered.toString('latin1', 0, end - 2);
    const fields = readFieldLines({ bytes: gathered, text }, 0, this.#limits.maxTrailers);
    if (typeof fields === 'string') {
      this.#problem = fields === 'too-many-headers' ? 'trailers-too-large' : 'bad-trailer';
    } else {
      this.#trailers = fields.filter((field) => isTrailer(field.name));
      this.#place = 'done';
    }
    this.#trailerBytes = nothing;
    return at + end - before;
  }
}

/** Offset behind the empty line that ends a trailer section; it may come first. */
function endOfTrailers(bytes: Buffer): number | undefined {
  if (bytes[0] === 0x0d && bytes[1] === 0x0a) return 2;
  const blank = bytes.indexOf('\r\n\r\n', 0, 'latin1');
  return blank < 0 ? undefined : blank + 4;
}

/**
 * Fields that may not come after the body: framing, routing, authentication, controls, and what says how to read the
 * content (RFC 9110, section 6.5.1).
 */
const neverTrailers = new Set(
  (
    'age authorization cache-control connection content-encoding content-length content-location content-range ' +
    'content-type cookie date dpop expect expires forwarded host http2-settings if-match if-modified-since ' +
    'if-none-match if-range if-unmodified-since keep-alive location max-forwards pragma proxy-authenticate ' +
    'proxy-authorization proxy-connection range retry-after set-cookie te trailer transfer-encoding txn-token ' +
    'upgrade vary warning www-authenticate x-forwarded-for x-forwarded-host x-forwarded-proto'
  ).split(' '),
);

function isTrailer(name: string): boolean {
  return !neverTrailers.has(foldedName(name)) && !isReservedName(name);
}

const lineBreak = Buffer.from('\r\n', 'latin1');
const bareLastChunk = Buffer.from('0\r\n\r\n', 'latin1');

/** The pieces that carry these bytes as one chunk; none for no bytes, because an empty chunk would end the body. */
export function encodeChunk(data: Buffer): Buffer[] {
  if (data.length === 0) return [];
  return [Buffer.from(`${data.length.toString(16)}\r\n`, 'latin1'), data, lineBreak];
}

/** What ends a chunked body. */
export function lastChunk(trailers: readonly HeaderField[]): Buffer {
  return trailers.length === 0 ? bareLastChunk : Buffer.from(`0\r\n${writeFieldLines(trailers)}\r\n`, 'latin1');
}
