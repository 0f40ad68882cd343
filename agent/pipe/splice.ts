import type { Pipe, PipeReader } from './pipe.ts';

export interface SpliceEnd {
  /** `ended`: both directions came to their end in order. */
  readonly outcome: 'ended' | 'cut';
  /** What arrived at either side, early bytes included. */
  readonly bytesFromA: number;
  readonly bytesFromB: number;
}

export interface SpliceOptions {
  /** Bytes that were read from either side before it came here; they go first. */
  readonly earlyFromA?: Buffer;
  readonly earlyFromB?: Buffer;
  /** Called once both sides are closed. */
  readonly onDone?: (end: SpliceEnd) => void;
}

/** Two pipes that are joined. */
export interface Spliced {
  /** So far. */
  readonly bytesFromA: number;
  readonly bytesFromB: number;
  /** Cuts both sides. */
  cut(): void;
}

/**
 * Joins two pipes opaquely: bytes with back pressure, the end of a direction, and a cut, which breaks the other side
 * too, so that what was cut never looks complete. Both pipes are its own from here on.
 */
export function splice(a: Pipe, b: Pipe, options: SpliceOptions = {}): Spliced {
  const whole = new Splice(options.onDone);
  const fromA = new Side(a, b, whole);
  const fromB = new Side(b, a, whole);
  whole.a = fromA;
  whole.b = fromB;
  a.reader = fromA;
  b.reader = fromB;
  if (options.earlyFromA) fromA.pass(options.earlyFromA);
  if (options.earlyFromB) fromB.pass(options.earlyFromB);
  if (!fromA.isHeldBack) a.resume();
  if (!fromB.isHeldBack) b.resume();
  return whole;
}

class Splice implements Spliced {
  a: Side | undefined;
  b: Side | undefined;
  readonly #onDone: ((end: SpliceEnd) => void) | undefined;
  #isCut = false;
  #isDone = false;

  constructor(onDone: ((end: SpliceEnd) => void) | undefined) {
    this.#onDone = onDone;
  }

  get bytesFromA(): number {
    return this.a?.bytes ?? 0;
  }
  get bytesFromB(): number {
    return this.b?.bytes ?? 0;
  }

  cut(): void {
    this.#isCut = true;
    this.a?.pipe.cut();
    this.b?.pipe.cut();
  }

  /** One side is closed: a cut unless both of its directions had come to their end. */
  onClosed(side: Side, other: Side | undefined): void {
    const sentAll = other?.hasEnded === true && side.pipe.unsentBytes === 0;
    if (!side.hasEnded || !sentAll) {
      this.#isCut = true;
      other?.pipe.cut();
    }
    if (this.a?.isClosed !== true || this.b?.isClosed !== true || this.#isDone) return;
    this.#isDone = true; // a cut may close the other side at once, which comes here again
    this.#onDone?.({
      outcome: this.#isCut ? 'cut' : 'ended',
      bytesFromA: this.bytesFromA,
      bytesFromB: this.bytesFromB,
    });
  }

  otherOf(side: Side): Side | undefined {
    return side === this.a ? this.b : this.a;
  }
}

/** Reads one pipe and writes the other. */
class Side implements PipeReader {
  readonly pipe: Pipe;
  /** Has been read. */
  bytes = 0;
  hasEnded = false;
  isClosed = false;
  /** The other side has no room. */
  isHeldBack = false;
  readonly #to: Pipe;
  readonly #whole: Splice;

  constructor(pipe: Pipe, to: Pipe, whole: Splice) {
    this.pipe = pipe;
    this.#to = to;
    this.#whole = whole;
  }

  pass(bytes: Buffer): void {
    this.bytes += bytes.length;
    if (!this.#to.write(bytes)) this.isHeldBack = true;
  }

  onBytes(bytes: Buffer): void {
    this.bytes += bytes.length;
    if (this.#to.write(bytes)) return;
    this.isHeldBack = true;
    this.pipe.pause();
  }
  onEnd(): void {
    this.hasEnded = true;
    this.#to.end();
  }
  onCut(): void {
    this.isClosed = true;
    this.#whole.onClosed(this, this.#whole.otherOf(this));
  }
  /** This pipe has room again: whoever fills it may go on. */
  onDrain(): void {
    const other = this.#whole.otherOf(this);
    if (other === undefined || !other.isHeldBack) return;
    other.isHeldBack = false;
    other.pipe.resume();
  }
}
