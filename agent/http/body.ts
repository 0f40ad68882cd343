import { noBytes } from '#agent/pipe/no-bytes.ts';
import { ChunkLineReader, type ChunkLineProblem } from './chunk-line.ts';
import type { Framing } from './framing.ts';
import { foldedName, readFieldLines, type HeaderField } from './header-field.ts';
import { isReservedName } from './reserved.ts';

export interface BodyLimits {
  readonly maxTrailerBytes: number;
  readonly maxTrailers: number;
}

export type BodyProblem = ChunkLineProblem | 'bad-chunk-end' | 'trailers-too-large' | 'bad-trailer';

/** What the next bytes of a body come to: a piece of it, its end, not enough yet, or a reason to refuse it. */
export type BodyStep = 'data' | 'more' | 'done' | BodyProblem;

const noTrailers: readonly HeaderField[] = Object.freeze([]);

/**
 * Reads bodies, one after another, however their bytes are cut into pieces (RFC 9112, sections 6 and 7). Pushed bytes are
 * walked through by `step` until it says `more` or `done`; nothing is copied and nothing kept of them.
 */
export class BodyReader {
  /** After `data`: the piece, a view of the bytes given. Never empty. */
  data: Buffer = noBytes;
  /** After any step: the offset behind what was taken. */
  at = 0;
  /** After `done`: without those that do not belong in trailers. */
  trailers: readonly HeaderField[] = noTrailers;
  readonly #limits: BodyLimits;
  readonly #line = new ChunkLineReader();
  #place: 'plain' | 'line' | 'data' | 'data-cr' | 'data-lf' | 'trailers' | 'done' | 'refused' = 'done';
  /** Of the body or of the chunk; Infinity until the stream's end. */
  #left = 0;
  /** What came of them so far, with room for more. */
  #trailerBytes: Buffer = noBytes;
  #gathered = 0;
  #problem: BodyProblem = 'bad-chunk-size';

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  begin(framing: Framing): void {
    this.trailers = noTrailers;
    this.#trailerBytes = noBytes;
    this.#gathered = 0;
    if (framing.kind === 'chunked') {
      this.#place = 'line';
      this.#line.begin();
      return;
    }
    this.#left = framing.kind === 'length' ? framing.bytes : framing.kind === 'none' ? 0 : Infinity;
    this.#place = this.#left === 0 ? 'done' : 'plain';
  }

  /**
   * Takes the bytes from `from` on up to the next thing to say. `done` consumes nothing that follows, and is said again
   * at every further call; so is a refusal. With framing `until-close` only the stream's end says that the body is done.
   */
  step(bytes: Buffer, from: number): BodyStep {
    let at = from;
    while (at < bytes.length) {
      switch (this.#place) {
        case 'plain':
        case 'data':
          return this.#take(bytes, at);
        case 'trailers':
          at = this.#readTrailers(bytes, at);
          break;
        case 'done':
        case 'refused':
          return this.#verdict(at);
        default:
          this.#takeByte(bytes[at]!);
          at += 1;
      }
    }
    return this.#verdict(at);
  }

  #verdict(at: number): BodyStep {
    this.at = at;
    this.data = noBytes; // a view would keep the whole of what was read alive
    if (this.#place === 'done') return 'done';
    return this.#place === 'refused' ? this.#problem : 'more';
  }

  #take(bytes: Buffer, at: number): 'data' {
    const end = Math.min(at + this.#left, bytes.length);
    this.data = at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end);
    this.at = end;
    this.#left -= end - at;
    if (this.#left === 0) this.#place = this.#place === 'plain' ? 'done' : 'data-cr';
    return 'data';
  }

  #takeByte(byte: number): void {
    if (this.#place === 'line') return this.#takeLineByte(byte);
    if (byte !== (this.#place === 'data-cr' ? 0x0d : 0x0a)) this.#refuse('bad-chunk-end');
    else if (this.#place === 'data-cr') this.#place = 'data-lf';
    else {
      this.#place = 'line';
      this.#line.next();
    }
  }

  #takeLineByte(byte: number): void {
    const taken = this.#line.take(byte);
    if (taken === 'more') return;
    if (taken !== 'complete') return this.#refuse(taken);
    this.#left = this.#line.size;
    this.#place = this.#left === 0 ? 'trailers' : 'data';
  }

  /** Gathers trailers until the empty line after them; the offset behind what was taken. */
  #readTrailers(bytes: Buffer, at: number): number {
    const before = this.#gathered;
    const mostBytes = this.#limits.maxTrailerBytes + 4;
    const fresh = bytes.subarray(at, at + mostBytes - before);
    const gathered = before === 0 ? fresh : this.#gather(fresh);
    const end = endOfTrailers(gathered, before);
    if (end === undefined) {
      if (gathered.length >= mostBytes) this.#refuse('trailers-too-large');
      else if (before === 0) this.#gather(fresh);
      return at + fresh.length;
    }
    this.#trailerBytes = noBytes;
    this.#gathered = 0;
    this.#place = 'done';
    if (end > 2) this.#parseTrailers(gathered, end - 2);
    return at + end - before;
  }

  /** Copies the piece behind the others, into a buffer that doubles: tiny pieces must not cost the square of their number. */
  #gather(piece: Buffer): Buffer {
    const { length } = piece;
    const total = this.#gathered + length;
    if (total > this.#trailerBytes.length) {
      const larger = Buffer.allocUnsafe(2 * total);
      this.#trailerBytes.copy(larger, 0, 0, this.#gathered);
      this.#trailerBytes = larger;
    }
    piece.copy(this.#trailerBytes, this.#gathered);
    this.#gathered = total;
    return this.#trailerBytes.subarray(0, total);
  }

  #parseTrailers(bytes: Buffer, end: number): void {
    const fields = readFieldLines({ bytes, text: bytes.toString('latin1', 0, end) }, 0, this.#limits.maxTrailers);
    if (typeof fields !== 'string') this.trailers = fields.filter((field) => isTrailer(field.name));
    else this.#refuse(fields === 'too-many-headers' ? 'trailers-too-large' : 'bad-trailer');
  }

  #refuse(problem: BodyProblem): void {
    this.#place = 'refused';
    this.#problem = problem;
  }
}

/** Offset behind the empty line that ends a trailer section; it may come first. `seen`: so many bytes held none. */
function endOfTrailers(bytes: Buffer, seen: number): number | undefined {
  if (bytes[0] === 0x0d && bytes[1] === 0x0a) return 2;
  const blank = bytes.indexOf('\r\n\r\n', Math.max(0, seen - 3), 'latin1');
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

export function isTrailer(name: string): boolean {
  return !neverTrailers.has(foldedName(name)) && !isReservedName(name);
}
