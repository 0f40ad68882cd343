import type { HeaderField } from '#agent/http/header-field.ts';
import type { Clock } from '#runtime/clock.ts';
import { later } from '#agent/pipe/turn.ts';
import { h2Error } from './errors.ts';
import { ReceiveFlow } from './flow.ts';
import type { FrameWriter } from './frame-writer.ts';
import { heldMemory, type Holder } from './held-memory.ts';
import { Sender } from './sender.ts';
import { StreamTable } from './stream-table.ts';
import { Stream, type StreamOwner } from './stream.ts';
import type { H2ErrorCode, H2Settings } from './types.ts';

/** A session says that it holds more each time that it is so much. */
const tellEveryBytes = 65_536;

/** Keeps the streams of one session, and does what they ask for. */
export class StreamKeeper implements StreamOwner, Holder {
  readonly table: StreamTable;
  readonly flow: ReceiveFlow;
  readonly sender: Sender;
  /** Streams that got a final head of ours; a tunnel's says only that it is open. */
  answered = 0;
  readonly #writer: FrameWriter;
  readonly #clock: Clock;
  readonly #unsentCeiling: number;
  #isRelieving = false;
  #toldBytes = 0;

  constructor(settings: H2Settings, writer: FrameWriter, clock: Clock, onEmpty: () => void) {
    this.#writer = writer;
    this.#clock = clock;
    this.#unsentCeiling = settings.unreadCeilingBytes;
    this.table = new StreamTable((stream) => {
      this.sender.discard(stream);
      this.flow.forget(stream);
      if (this.table.size === 0) onEmpty();
    });
    this.flow = new ReceiveFlow(settings, writer, this.table);
    this.sender = new Sender(writer, this.table);
  }

  open(id: number): Stream {
    const windows = { send: this.sender.initialWindow, receive: this.flow.streamWindow };
    const stream = new Stream(id, this, { ...windows, openedMs: this.#clock.monotonic() });
    this.table.add(stream);
    return stream;
  }

  /** Milliseconds. */
  ageOf(stream: Stream): number {
    return this.#clock.monotonic() - stream.openedMs;
  }

  headers(stream: Stream, fields: readonly HeaderField[], end: boolean): void {
    const hadHead = stream.headSent;
    this.sender.headers(stream, fields, end);
    if (!hadHead && stream.headSent && !stream.isConnect) this.answered += 1;
  }
  data(stream: Stream, bytes: Buffer): boolean {
    const isTaken = this.sender.data(stream, bytes);
    if (this.sender.queuedBytes > 0) this.tellHeld();
    return isTaken;
  }
  text(stream: Stream, text: string): boolean {
    const isTaken = this.sender.text(stream, text);
    if (this.sender.queuedBytes > 0) this.tellHeld();
    return isTaken;
  }
  end(stream: Stream): void {
    this.sender.end(stream);
  }
  pause(stream: Stream): void {
    this.flow.pause(stream);
  }
  resume(stream: Stream): void {
    this.flow.resume(stream);
  }
  reset(stream: Stream, code: H2ErrorCode): void {
    if (stream.isClosed) return;
    if (code === h2Error.none && stream.endsAfterQueue) stream.resetsAfterQueue = true;
    else this.breakOff(stream, code);
  }

  /** RST_STREAM; what still comes for the stream is to be ignored. */
  breakOff(stream: Stream, code: H2ErrorCode): void {
    this.#writer.rstStream(stream.id, code);
    this.table.rememberReset(stream.id);
    this.table.remove(stream);
  }

  /** Breaks off a stream because it takes too much memory, and tells its handler. */
  relieve(stream: Stream): void {
    this.breakOff(stream, h2Error.enhanceYourCalm);
    stream.handler.onReset(h2Error.enhanceYourCalm);
  }

  get heldBytes(): number {
    return this.flow.unreadBytes + this.sender.queuedBytes;
  }

  /** More may wait than before. */
  tellHeld(): void {
    if (this.sender.queuedBytes > this.#unsentCeiling) this.#relieveQueues();
    const more = this.heldBytes - this.#toldBytes;
    if (more < 0) this.#toldBytes += more;
    if (more < tellEveryBytes) return;
    this.#toldBytes += more;
    heldMemory.grew(this, more);
  }

  relieveFullest(): number {
    const before = this.heldBytes;
    let fullest: Stream | undefined;
    const heldBy = (stream: Stream): number => stream.unread + stream.unsentBytes;
    for (const stream of this.table.values()) {
      if (heldBy(stream) > (fullest === undefined ? 0 : heldBy(fullest))) fullest = stream;
    }
    if (fullest !== undefined) this.relieve(fullest);
    return before - this.heldBytes;
  }

  /** Too much waits for windows that the peer keeps shut: the longest queues go. Not at once: their owners are at work. */
  #relieveQueues(): void {
    if (this.#isRelieving) return;
    this.#isRelieving = true;
    later({
      flush: () => {
        this.#isRelieving = false;
        while (this.sender.queuedBytes > this.#unsentCeiling) {
          const { fullest } = this.sender;
          if (fullest === undefined) return;
          this.relieve(fullest);
        }
      },
    });
  }
}
