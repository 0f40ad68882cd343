import { noBytes } from '#agent/pipe/no-bytes.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';

/** Whoever takes what arrives, piece by piece, when it can. */
export interface Taker {
  /** Whether bytes are wanted now; what arrives otherwise is kept, and the pipe paused. */
  readonly takesBytes: boolean;
  /** Whether the pipe is to be paused although nothing is kept: whom the bytes go to cannot keep up. */
  readonly isFull: boolean;
  /** Takes bytes from `at` on, at least one; the offset behind them. Valid during the call only. */
  take(bytes: Buffer, at: number): number;
}

/** Gives what arrives on a pipe to its taker in order, and keeps what comes before its turn: at most what was under way. */
export class Intake {
  readonly #pipe: Pipe;
  readonly #taker: Taker;
  #held: Buffer | undefined;
  /** Kept behind it; put together once, when its turn comes. */
  #heldMore: Buffer[] = [];
  /** The bytes that are being given, where they are ours to keep. */
  #own: Buffer | undefined;
  #isGiving = false;
  #isPaused = false;
  #isReleased = false;

  constructor(pipe: Pipe, taker: Taker) {
    this.#pipe = pipe;
    this.#taker = taker;
  }

  /** Nothing is kept, and nothing is just being given. */
  get isEmpty(): boolean {
    return this.#held === undefined && !this.#isGiving;
  }

  arrived(bytes: Buffer): void {
    if (this.#held === undefined) this.#give(bytes);
    else this.hold(bytes, 0);
    this.goOn();
  }

  /** The taker may want more than before, or less. */
  goOn(): void {
    if (this.#isGiving) return;
    while (this.#held !== undefined && this.#taker.takesBytes) {
      const held = this.#takeHeld();
      this.#own = held;
      this.#give(held);
      this.#own = undefined;
    }
    if (this.#isReleased) return;
    const isWanted = this.#held === undefined && !this.#taker.isFull;
    if (isWanted === this.#isPaused) this.#turn();
  }

  /** Keeps bytes from `at` on, behind what is kept already. */
  hold(bytes: Buffer, at: number): void {
    if (at >= bytes.length) return;
    const given = at === 0 ? bytes : bytes.subarray(at);
    const rest = bytes === this.#own ? given : Buffer.from(given);
    if (this.#held === undefined) this.#held = rest;
    else this.#heldMore.push(rest);
  }

  /** Pauses the pipe for its next reader and hands over what is kept. */
  release(): Buffer {
    this.#isReleased = true;
    this.#pipe.pause();
    return this.#takeHeld();
  }

  #takeHeld(): Buffer {
    const held = this.#held ?? noBytes;
    this.#held = undefined;
    return this.#heldMore.length === 0 ? held : Buffer.concat([held, ...this.#heldMore.splice(0)]);
  }

  #give(bytes: Buffer): void {
    let at = 0;
    this.#isGiving = true;
    while (at < bytes.length && this.#taker.takesBytes) at = this.#taker.take(bytes, at);
    this.#isGiving = false;
    this.hold(bytes, at);
  }

  #turn(): void {
    this.#isPaused = !this.#isPaused;
    if (this.#isPaused) this.#pipe.pause();
    else this.#pipe.resume();
  }
}
