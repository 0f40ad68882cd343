import type { HeaderField } from '#agent/http/header-field.ts';
import { h2Error } from './errors.ts';
import type { FrameWriter } from './frame-writer.ts';
import { frameFlag, initialWindowBytes, largest31Bits } from './frames.ts';
import { SendQueue } from './send-queue.ts';
import type { Stream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';

/** A stream with more than this in its queue is told to wait; it may go on below half of it. */
const fullQueueBytes = 65_536;

/** What is sent: heads and DATA within the peer's windows, streams taking turns where not all of it can go. */
export class Sender {
  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE. */
  initialWindow = initialWindowBytes;
  /** DATA and HEADERS frames that were sent: how busy the session is. */
  usefulFrames = 0;
  /** Bytes in all queues. */
  queuedBytes = 0;
  #sessionWindow = initialWindowBytes;
  readonly #writer: FrameWriter;
  readonly #streams: StreamTable;
  /** The round of streams with queued bytes and an open window. */
  #firstReady: Stream | undefined;
  #lastReady: Stream | undefined;
  #isPumping = false;

  constructor(writer: FrameWriter, streams: StreamTable) {
    this.#writer = writer;
    this.#streams = streams;
  }

  headers(stream: Stream, fields: readonly HeaderField[], end: boolean): void {
    if (stream.localEnded) return;
    if (stream.queue !== undefined && stream.queue.bytes > 0) {
      stream.trailers = fields; // DATA waits, so only trailers can come here
      this.#endAfterQueue(stream);
      return;
    }
    this.usefulFrames += 1;
    this.#writer.headers(stream.id, fields, end ? frameFlag.endStream : 0);
    if (fields[0]?.name !== ':status' || fields[0].value.charCodeAt(0) !== 0x31) stream.headSent = true;
    if (!end) return;
    stream.localEnded = true;
    this.#streams.settle(stream);
  }

  data(stream: Stream, bytes: Buffer): boolean {
    const { length } = bytes;
    const writer = this.#writer;
    if (
      length <= stream.sendWindow &&
      length <= this.#sessionWindow &&
      length <= writer.maxDataBytes &&
      !writer.isBlocked &&
      !stream.localEnded &&
      (stream.queue === undefined || stream.queue.bytes === 0) &&
      this.#firstReady === undefined &&
      length > 0
    ) {
      stream.sendWindow -= length;
      this.#sessionWindow -= length;
      this.usefulFrames += 1;
      stream.dataSent = true;
      writer.data(stream.id, bytes);
      return true;
    }
    return this.#dataInParts(stream, bytes);
  }

  text(stream: Stream, text: string): boolean {
    const { length } = text;
    const writer = this.#writer;
    if (
      length > stream.sendWindow ||
      length > this.#sessionWindow ||
      length > writer.maxDataBytes ||
      writer.isBlocked ||
      stream.localEnded ||
      (stream.queue !== undefined && stream.queue.bytes > 0) ||
      this.#firstReady !== undefined ||
      length === 0
    ) {
      return this.#dataInParts(stream, Buffer.from(text, 'latin1'));
    }
    stream.sendWindow -= length;
    this.#sessionWindow -= length;
    this.usefulFrames += 1;
    stream.dataSent = true;
    writer.text(stream.id, text);
    return true;
  }

  end(stream: Stream): void {
    if (stream.localEnded) return;
    if (stream.queue !== undefined && stream.queue.bytes > 0) {
      this.#endAfterQueue(stream);
      return;
    }
    this.#writer.endStream(stream.id);
    stream.localEnded = true;
    this.#streams.settle(stream);
  }

  /** The stream with the longest queue. */
  get fullest(): Stream | undefined {
    let fullest: Stream | undefined;
    for (const stream of this.#streams.values()) {
      if (stream.unsentBytes > (fullest?.unsentBytes ?? 0)) fullest = stream;
    }
    return fullest;
  }

  /** Forgets what the stream has queued; its number of bytes leaves the session's sum. */
  discard(stream: Stream): void {
    if (stream.queue === undefined) return;
    this.queuedBytes -= stream.queue.bytes;
    stream.queue.clear();
    stream.queue = undefined;
    stream.trailers = undefined;
  }

  /** WINDOW_UPDATE of the session or of a stream. False: the window grew beyond 2^31-1 (RFC 9113, section 6.9.1). */
  widen(stream: Stream | undefined, bytes: number): boolean {
    if (stream === undefined) {
      this.#sessionWindow += bytes;
      if (this.#sessionWindow > largest31Bits) return false;
    } else {
      stream.sendWindow += bytes;
      if (stream.sendWindow > largest31Bits) return false;
      this.#makeReady(stream);
    }
    this.pump();
    return true;
  }

  /** SETTINGS_INITIAL_WINDOW_SIZE moves every stream's window, below 0 as well. False: one grew too large (section 6.9.2). */
  setInitialWindow(bytes: number): boolean {
    const difference = bytes - this.initialWindow;
    this.initialWindow = bytes;
    let isFine = true;
    for (const stream of this.#streams.values()) {
      stream.sendWindow += difference;
      if (stream.sendWindow > largest31Bits) isFine = false;
      this.#makeReady(stream);
    }
    return isFine;
  }

  /** Sends what can go, one frame of each ready stream in turn. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#firstReady !== undefined && this.#sessionWindow > 0 && !this.#writer.isBlocked) {
      const stream = this.#firstReady;
      this.#firstReady = stream.nextReady;
      if (this.#firstReady === undefined) this.#lastReady = undefined;
      stream.nextReady = undefined;
      stream.isReady = false;
      this.#sendTurn(stream);
    }
    this.#isPumping = false;
  }

  /** What the windows let through goes at once, the rest into the queue. */
  #dataInParts(stream: Stream, bytes: Buffer): boolean {
    if (stream.localEnded || bytes.length === 0) return true;
    const queue = (stream.queue ??= new SendQueue());
    let at = 0;
    if (queue.bytes === 0 && this.#firstReady === undefined) {
      while (at < bytes.length && !this.#writer.isBlocked && this.#allowance(stream) > 0) {
        const to = Math.min(bytes.length, at + this.#allowance(stream));
        this.#sendData(stream, bytes.subarray(at, to));
        at = to;
      }
    }
    if (at === bytes.length) return true;
    queue.push(at === 0 ? bytes : bytes.subarray(at));
    this.queuedBytes += bytes.length - at;
    this.#makeReady(stream);
    if (queue.bytes <= fullQueueBytes) return true;
    stream.wantsDrain = true;
    return false;
  }

  #allowance(stream: Stream): number {
    return Math.min(stream.sendWindow, this.#sessionWindow, this.#writer.maxDataBytes);
  }

  #sendData(stream: Stream, bytes: Buffer): void {
    stream.sendWindow -= bytes.length;
    this.#sessionWindow -= bytes.length;
    this.usefulFrames += 1;
    stream.dataSent = true;
    this.#writer.data(stream.id, bytes);
  }

  #sendTurn(stream: Stream): void {
    const { queue } = stream;
    if (queue === undefined || queue.bytes === 0) return;
    for (let left = this.#allowance(stream); left > 0 && queue.bytes > 0;) {
      const bytes = queue.peek(left);
      left -= bytes.length;
      this.queuedBytes -= bytes.length;
      this.#sendData(stream, bytes);
      queue.drop(bytes.length);
    }
    if (queue.bytes > 0) this.#makeReady(stream);
    else if (stream.endsAfterQueue) {
      this.#endNow(stream);
      return stream.handler.onDrain();
    }
    if (!stream.wantsDrain || queue.bytes >= fullQueueBytes / 2 || stream.isClosed) return;
    stream.wantsDrain = false;
    stream.handler.onDrain();
  }

  #endAfterQueue(stream: Stream): void {
    stream.localEnded = true;
    stream.endsAfterQueue = true;
    stream.wantsDrain = false;
  }

  #endNow(stream: Stream): void {
    stream.endsAfterQueue = false;
    if (stream.trailers !== undefined) this.#writer.headers(stream.id, stream.trailers, frameFlag.endStream);
    else this.#writer.endStream(stream.id);
    stream.trailers = undefined;
    if (!stream.resetsAfterQueue) return this.#streams.settle(stream);
    this.#writer.rstStream(stream.id, h2Error.none);
    this.#streams.rememberReset(stream.id);
    return this.#streams.remove(stream);
  }

  #makeReady(stream: Stream): void {
    if (stream.isReady || stream.sendWindow <= 0 || stream.unsentBytes === 0) return;
    stream.isReady = true;
    if (this.#lastReady === undefined) this.#firstReady = stream;
    else this.#lastReady.nextReady = stream;
    this.#lastReady = stream;
  }
}
