import type { Pipe } from '#agent/pipe/pipe.ts';
import { later } from '#agent/pipe/turn.ts';
import { WrappedPipe } from '#agent/pipe/wrapped-pipe.ts';

/** The pipe with bytes in front that somebody has read from it already. Paused, like any pipe that changes hands. */
export function prependPipe(pipe: Pipe, early: Buffer): Pipe {
  return early.length === 0 ? pipe : new PrependedPipe(pipe, early);
}

class PrependedPipe extends WrappedPipe {
  #early: Buffer | undefined;
  #isPaused = true;

  constructor(pipe: Pipe, early: Buffer) {
    super(pipe);
    this.#early = early;
  }

  override cut(): void {
    this.#early = undefined;
    super.cut();
  }
  override pause(): void {
    this.#isPaused = true;
    super.pause();
  }
  override resume(): void {
    this.#isPaused = false;
    if (this.#early === undefined) super.resume();
    else later({ flush: () => this.#giveEarly() }); // no reader is called from inside its own call
  }

  override onBytes(bytes: Buffer): void {
    if (this.#early === undefined) this.reader.onBytes(bytes);
    else this.#early = Buffer.concat([this.#early, bytes]);
  }
  override onCut(): void {
    this.#early = undefined;
    super.onCut();
  }

  #giveEarly(): void {
    const early = this.#early;
    if (early === undefined || this.#isPaused) return;
    this.#early = undefined;
    this.reader.onBytes(early);
    if (!this.#isPaused) super.resume();
  }
}
