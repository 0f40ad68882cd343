import type { Pipe, PipeReader } from '#agent/pipe/pipe.ts';

export interface MemoryPipeOptions {
  /** `turn`: at the end of the event-loop turn, like a socket. `manual`: only when the test calls `deliver`. */
  readonly delivery?: 'turn' | 'manual';
  /** Bytes arrive in pieces of at most this size. Default: all that was flushed together arrives together. */
  readonly pieceBytes?: number;
  /** Above so many unsent bytes `write` answers false; below half of it comes `onDrain`. Default 64 KiB. */
  readonly fullBytes?: number;
}

/** One end of the pair, with eyes for tests. */
export interface MemoryPipe extends Pipe {
  /** All that was ever written here, whether it has left or not. */
  readonly written: Buffer;
  /** What was written since the last call. */
  takeWritten(): Buffer;
  /** One entry for each flush that had something to send: what a socket would do as one system call. */
  readonly flushes: readonly Buffer[];
  readonly state: { readonly paused: boolean; readonly ended: boolean; readonly cut: boolean };
  /** As a network does: this pipe breaks, and so does the other end. Told with the next delivery. */
  breakDown(): void;
}

export interface MemoryPipes {
  readonly a: MemoryPipe;
  readonly b: MemoryPipe;
  /** Moves everything that can move, in both directions, until nothing does; runs readers on the spot. */
  deliver(): void;
}

/** Two ends in this process. What is written to `a` arrives at `b`, and the other way round. Both start paused. */
export function createMemoryPipes(options: MemoryPipeOptions = {}): MemoryPipes {
  const wire: Wire = { ...options, delivery: options.delivery ?? 'turn', isAwaited: false, deliver: () => undefined };
  const a = new End(wire);
  const b = new End(wire);
  a.other = b;
  b.other = a;
  const moveUpTo = (steps: number): boolean => {
    let moved = true;
    for (let step = 0; moved && step < steps; step += 1) moved = [a.step(), b.step()].includes(true);
    return moved;
  };
  wire.deliver = () => {
    wire.isAwaited = false;
    if (moveUpTo(1_000)) a.wake(); // two ends that answer each other for ever leave room for timers
  };
  return { a, b, deliver: () => void moveUpTo(Infinity) };
}

interface Wire extends MemoryPipeOptions {
  isAwaited: boolean;
  deliver: () => void;
}

/** Whoever forgets to set a reader finds out at once. */
const nobody: PipeReader = {
  onBytes: () => forgotten(),
  onEnd: () => forgotten(),
  onCut: () => undefined,
  onDrain: () => undefined,
};

function forgotten(): never {
  throw new Error('a pipe was resumed before it had a reader');
}

class End implements MemoryPipe {
  reader: PipeReader = nobody;
  other: End | undefined;
  readonly flushes: Buffer[] = [];
  readonly #wire: Wire;
  readonly #all: Buffer[] = [];
  #taken = 0;
  #gathered: Buffer[] = [];
  /** Flushed by the other end, not yet read here. */
  readonly #arrived: Buffer[] = [];
  #unsent = 0;
  #isFull = false;
  #paused = true;
  #weEnded = false;
  #endIsOut = false;
  #endArrived = false;
  #endTold = false;
  #cut = false;
  #cutTold = false;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  get isOpen(): boolean {
    return !this.#weEnded && !this.#endTold && !this.#cut;
  }
  get unsentBytes(): number {
    return this.#unsent;
  }
  get written(): Buffer {
    return Buffer.concat(this.#all);
  }
  get state(): { paused: boolean; ended: boolean; cut: boolean } {
    return { paused: this.#paused, ended: this.#weEnded, cut: this.#cut };
  }

  takeWritten(): Buffer {
    const bytes = this.written.subarray(this.#taken);
    this.#taken += bytes.length;
    return bytes;
  }

  write(bytes: Buffer): boolean {
    if (this.#cut || this.#weEnded) return true;
    if (bytes.length > 0) {
      const copy = Buffer.from(bytes);
      this.#all.push(copy);
      this.#gathered.push(copy);
      this.#unsent += copy.length;
      this.wake();
    }
    this.#isFull ||= this.#unsent > this.#fullBytes;
    return !this.#isFull;
  }

  writeText(text: string): boolean {
    return this.write(Buffer.from(text, 'latin1'));
  }

  flush(): void {
    if (this.#gathered.length > 0) {
      const bytes = Buffer.concat(this.#gathered);
      this.#gathered = [];
      this.flushes.push(bytes);
      if (this.other) this.other.#arrived.push(bytes);
    }
    if (this.#weEnded && this.other && !this.#endIsOut) {
      this.#endIsOut = true;
      this.other.#endArrived = true;
    }
    this.wake();
  }

  end(): void {
    this.#weEnded = true;
    this.wake();
  }

  cut(): void {
    if (this.#cut) return;
    this.#cut = true;
    if (this.other) this.other.#cut = true;
    this.wake();
  }

  breakDown(): void {
    this.cut();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.wake();
  }

  /** Does one thing that is due; false when nothing is. */
  step(): boolean {
    if (this.#cutTold) return false;
    const isOver = this.#endTold && this.#endIsOut && this.#unsent === 0 && this.#gathered.length === 0;
    if (this.#cut || isOver) {
      this.#cut = true;
      this.#cutTold = true;
      this.reader.onCut();
      return true;
    }
    if (this.#gathered.length > 0 || (this.#weEnded && !this.#endIsOut)) {
      this.flush();
      return true;
    }
    if (this.#isFull && this.#unsent < this.#fullBytes / 2) {
      this.#isFull = false;
      this.reader.onDrain();
      return true;
    }
    return !this.#paused && this.#read();
  }

  #read(): boolean {
    const [first] = this.#arrived;
    if (first !== undefined) {
      const piece = first.subarray(0, this.#wire.pieceBytes ?? first.length);
      if (piece.length === first.length) this.#arrived.shift();
      else this.#arrived[0] = first.subarray(piece.length);
      if (this.other) this.other.#unsent -= piece.length;
      const lent = Buffer.from(piece);
      this.reader.onBytes(lent);
      lent.fill(0xee); // valid during the call only: whoever kept them without a copy finds rubbish
      return true;
    }
    if (!this.#endArrived || this.#endTold) return false;
    this.#endTold = true;
    this.reader.onEnd();
    return true;
  }

  /** Looks at the wire at the end of this turn. */
  wake(): void {
    const wire = this.#wire;
    if (wire.delivery === 'manual' || wire.isAwaited) return;
    wire.isAwaited = true;
    setImmediate(wire.deliver);
  }

  get #fullBytes(): number {
    return this.#wire.fullBytes ?? 65_536;
  }
}
