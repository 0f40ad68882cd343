import { h2Error } from '#agent/h2/errors.ts';
import type { H2Stream, H2StreamHandler } from '#agent/h2/types.ts';
import { deafReader } from '#agent/pipe/deaf-reader.ts';
import type { Pipe, PipeReader } from '#agent/pipe/pipe.ts';
import { later } from '#agent/pipe/turn.ts';

/** Told when a pipe that was opened for it is over. Comes once. */
export interface PipeOwner {
  onPipeOver(): void;
}

/** What came while nobody wanted to read. */
interface Held {
  readonly pieces: Buffer[];
  ended: boolean;
  /** Nothing more may be told from inside a call of ours: it is told at the end of the turn. */
  isTelling: boolean;
}

/**
 * The bytes of a CONNECT stream after its 200 (RFC 9113, section 8.5) as a pipe: END_STREAM is its only orderly end.
 * Makes itself the stream's handler. A paused stream still gets what its window allowed; that waits here.
 */
export class StreamPipe implements Pipe, H2StreamHandler {
  reader: PipeReader = deafReader;
  readonly #stream: H2Stream;
  readonly #owner: PipeOwner;
  #state:
    | 'open'
    | 'they-ended'
    | 'we-ended'
    /** Both have ended, but bytes of ours wait for window. */
    | 'leaving'
    /** Nothing more comes; that is to be told. */
    | 'ending'
    | 'over'
    | 'told' = 'open';
  #isPaused = true;
  #held: Held | undefined = undefined;

  constructor(stream: H2Stream, owner: PipeOwner) {
    this.#stream = stream;
    this.#owner = owner;
    stream.handler = this;
    stream.pause();
  }

  get isOpen(): boolean {
    return this.#state === 'open' && this.#stream.isOpen;
  }
  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  write(bytes: Buffer): boolean {
    return this.#mayWrite() ? this.#stream.data(bytes) : true;
  }
  writeText(text: string): boolean {
    return this.#mayWrite() ? this.#stream.text(text) : true;
  }
  flush(): void {
    // the session sends what all its streams have gathered at the end of the turn
  }
  end(): void {
    if (!this.#mayWrite()) return;
    this.#stream.end();
    if (this.#state === 'open') this.#state = 'we-ended';
    else if (this.#stream.unsentBytes > 0) this.#state = 'leaving';
    else this.#endSoon();
  }
  cut(): void {
    if (this.#state === 'ending' || this.#state === 'over' || this.#state === 'told') return;
    this.#stream.reset(h2Error.connect);
    this.#endSoon();
  }
  pause(): void {
    this.#isPaused = true;
    this.#stream.pause();
  }
  resume(): void {
    this.#isPaused = false;
    if (this.#state === 'over') later({ flush: () => this.#tellCut() }); // it broke before it had a reader
    else if (this.#held === undefined) this.#stream.resume();
    else if (!this.#held.isTelling) {
      this.#held.isTelling = true;
      later({ flush: () => this.#tellHeld() });
    }
  }

  /** Trailers, which a tunnel has none of (RFC 9113, section 8.5). */
  onHeaders(): void {
    this.cut();
  }
  onData(bytes: Buffer): void {
    if (this.#held === undefined && !this.#isPaused) {
      if (this.#mayRead()) this.reader.onBytes(bytes);
    } else this.#hold().pieces.push(Buffer.from(bytes));
  }
  onEnd(): void {
    if (this.#held === undefined && !this.#isPaused) this.#ended();
    else this.#hold().ended = true;
  }
  onReset(): void {
    this.#over();
  }
  onDrain(): void {
    if (this.#mayWrite()) this.reader.onDrain();
    else if (this.#state === 'leaving') this.#over();
  }

  #mayRead(): boolean {
    return this.#state === 'open' || this.#state === 'we-ended';
  }
  #mayWrite(): boolean {
    return this.#state === 'open' || this.#state === 'they-ended';
  }

  #hold(): Held {
    this.#held ??= { pieces: [], ended: false, isTelling: false };
    return this.#held;
  }
  #tellHeld(): void {
    const held = this.#held;
    if (held === undefined) return;
    held.isTelling = false;
    while (!this.#isPaused && this.#mayRead()) {
      const bytes = held.pieces.shift();
      if (bytes === undefined) break;
      this.reader.onBytes(bytes);
    }
    if (this.#isPaused) return;
    this.#held = undefined;
    if (held.ended) this.#ended();
    else this.#stream.resume();
  }

  #ended(): void {
    if (!this.#mayRead()) return;
    const weEnded = this.#state === 'we-ended';
    this.#state = weEnded ? 'leaving' : 'they-ended';
    this.reader.onEnd();
    if (weEnded && this.#stream.unsentBytes === 0) this.#over();
  }
  /** Not from inside a call of ours. */
  #endSoon(): void {
    this.#state = 'ending';
    later({ flush: () => this.#over() });
  }
  #over(): void {
    if (this.#state === 'over' || this.#state === 'told') return;
    this.#state = 'over';
    this.#held = undefined;
    this.#owner.onPipeOver();
    if (this.reader !== deafReader) this.#tellCut();
  }
  #tellCut(): void {
    if (this.#state !== 'over') return;
    this.#state = 'told';
    this.reader.onCut();
  }
}
