import type { Clock, Timer } from '#runtime/clock.ts';
import type { LineOutput } from './line-output.ts';

export interface BlockBounds {
  /** A block that large is written at once. */
  readonly blockBytes: number;
  /** A line waits no longer for others. */
  readonly gatherMs: number;
  /** More bytes than this do not wait: lines that come on top are dropped, and counted. */
  readonly maxBytes: number;
  /** An output that takes nothing is asked again after so long. */
  readonly retryMs: number;
}

const defaultBlockBounds: BlockBounds = {
  blockBytes: 64 * 1024,
  gatherMs: 250,
  maxBytes: 4 * 1024 * 1024,
  retryMs: 50,
};

const lineFeed = 0x0a;

/** Writes lines in blocks, one at a time. An output that is slow costs lines, never the time of whoever writes them. */
export class BlockWriter {
  /** Lines that nobody will read: there was no room, or they could not be written. */
  dropped = 0;
  readonly #output: LineOutput;
  readonly #clock: Clock;
  readonly #bounds: BlockBounds;
  #text = '';
  #timer: Timer | undefined;
  #inFlight: Buffer | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(output: LineOutput, clock: Clock, bounds: BlockBounds = defaultBlockBounds) {
    this.#output = output;
    this.#clock = clock;
    this.#bounds = bounds;
  }

  /** `line` ends with its line feed and is ASCII but for few characters. */
  write(line: string): void {
    const { blockBytes, gatherMs, maxBytes } = this.#bounds;
    if (this.#text.length + (this.#inFlight?.length ?? 0) + line.length > maxBytes) {
      this.dropped += 1;
      return;
    }
    this.#text += line;
    if (this.#inFlight !== undefined) return;
    if (this.#text.length >= blockBytes) this.#begin();
    else this.#timer ??= this.#clock.timer(gatherMs, () => this.#begin());
  }

  /** Writes what waits and closes the output; what it has not taken after `ms` is dropped. */
  async close(ms: number): Promise<void> {
    if (this.#inFlight === undefined) this.#begin();
    if (this.#inFlight !== undefined) {
      await new Promise<void>((resolve) => {
        const overdue = this.#clock.timer(ms, resolve);
        this.#onEmpty = () => {
          overdue.cancel();
          resolve();
        };
      });
    }
    this.#output.close();
  }

  #begin(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#text === '') return this.#onEmpty?.();
    const block = Buffer.from(this.#text, 'utf8');
    this.#text = '';
    this.#send(block);
  }

  #send(block: Buffer): void {
    this.#inFlight = block;
    this.#output.write(block, (written) => {
      if (written === 'failed') this.dropped += linesIn(block);
      const rest = written === 'failed' ? 0 : block.length - written;
      if (rest === 0) {
        this.#inFlight = undefined;
        return this.#begin();
      }
      const left = block.subarray(block.length - rest);
      if (written !== 0) return this.#send(left);
      this.#timer = this.#clock.timer(this.#bounds.retryMs, () => this.#send(left));
    });
  }
}

function linesIn(block: Buffer): number {
  let lines = 0;
  for (let at = block.indexOf(lineFeed); at >= 0; at = block.indexOf(lineFeed, at + 1)) lines += 1;
  return lines;
}
