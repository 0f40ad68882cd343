import type { Pipe, PipeReader } from '#agent/pipe/pipe.ts';
import { later } from '#agent/pipe/turn.ts';

/** The pipe with bytes in front that somebody has read from it already. Paused, like any pipe that changes hands. */
export function prependPipe(pipe: Pipe, early: Buffer): Pipe {
  return early.length === 0 ? pipe : new PrependedPipe(pipe, early);
}

class PrependedPipe implements Pipe, PipeReader {
  reader: PipeReader = nobody;
  readonly #pipe: Pipe;
  #early: Buffer | undefined;
  #isPaused = true;

  constructor(pipe: Pipe, early: Buffer) {
    this.#pipe = pipe;
    this.#early = early;
    pipe.reader = this;
  }

  get isOpen(): boolean {
    return this.#pipe.isOpen;
  }
  get unsentBytes(): number {
    return this.#pipe.unsentBytes;
  }
  write(bytes: Buffer): boolean {
    return this.#pipe.write(bytes);
  }
  writeText(text: string): boolean {
    return this.#pipe.writeText(text);
  }
  flush(): void {
    this.#pipe.flush();
  }
  end(): void {
    this.#pipe.end();
  }
  cut(): void {
    this.#early = undefined;
    this.#pipe.cut();
  }
  pause(): void {
    this.#isPaused = true;
    this.#pipe.pause();
  }
  resume(): void {
    this.#isPaused = false;
    if (this.#early === undefined) this.#pipe.resume();
    else later({ flush: () => this.#giveEarly() }); // no reader is called from inside its own call
  }

  onBytes(bytes: Buffer): void {
    if (this.#early === undefined) this.reader.onBytes(bytes);
    else this.#early = Buffer.concat([this.#early, bytes]);
  }
  onEnd(): void {
    this.reader.onEnd();
  }
  onCut(): void {
    this.#early = undefined;
    this.reader.onCut();
  }
  onDrain(): void {
    this.reader.onDrain();
  }

  #giveEarly(): void {
    const early = this.#early;
    if (early === undefined || this.#isPaused) return;
    this.#early = undefined;
    this.reader.onBytes(early);
    if (!this.#isPaused) this.#pipe.resume();
  }
}

const nobody: PipeReader = { onBytes: nothing, onEnd: nothing, onCut: nothing, onDrain: nothing };

function nothing(): void {
  // nobody reads yet
}
