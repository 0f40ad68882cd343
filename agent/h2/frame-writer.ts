import { noBytes } from '#agent/pipe/no-bytes.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { giveSlab, largeBytes as slabBytes, takeSlab } from '#agent/pipe/slabs.ts';
import { later, type Flushable } from '#agent/pipe/turn.ts';
import { frameFlag, frameHeadBytes, frameType, smallestMaxFrameBytes, writeUint32 } from './frames.ts';
import { HpackEncoder } from './hpack-encoder.ts';

const noFrame = -1;
/** The longest DATA that we send in a frame: with its head it fills one TLS record, and five of them a slab. */
const longestDataBytes = smallestMaxFrameBytes - frameHeadBytes;

/**
 * Gathers the frames of one event-loop turn and writes them at its end. DATA of one stream that comes in several pieces
 * becomes one frame where no other frame lies between.
 */
export class FrameWriter implements Flushable {
  readonly encoder = new HpackEncoder();
  /** The wire takes no more for now; what is written all the same, waits in the pipe. */
  isBlocked = false;
  /** Bytes written while it was blocked. */
  bytesWhileBlocked = 0;
  /** The longest DATA payload that one frame may have. */
  readonly maxDataBytes = longestDataBytes;
  readonly #pipe: Pipe;
  #slab: Buffer = noBytes;
  #at = 0;
  #isScheduled = false;
  /** Where the head of the last frame stands, while that is a DATA frame which may grow. */
  #openAt = noFrame;
  #openStream = 0;

  readonly #onBlocked: () => void;

  constructor(pipe: Pipe, onBlocked: () => void) {
    this.#pipe = pipe;
    this.#onBlocked = onBlocked;
  }

  /** At most `maxDataBytes`. */
  data(streamId: number, bytes: Buffer): void {
    const at = this.#openData(streamId, bytes.length);
    this.#slab.set(bytes, at);
  }

  /** The same for Latin-1 text. */
  text(streamId: number, text: string): void {
    const at = this.#openData(streamId, text.length);
    this.#slab.write(text, at, 'latin1');
  }

  /** END_STREAM: on the stream's last DATA frame if that is still here, else on an empty one. */
  endStream(streamId: number): void {
    if (this.#openAt !== noFrame && this.#openStream === streamId) {
      this.#slab[this.#openAt + 4] = frameFlag.endStream;
      this.#openAt = noFrame;
    } else {
      this.#room(frameHeadBytes);
      this.#head(0, (frameType.data << 8) | frameFlag.endStream, streamId);
    }
  }

  headers(streamId: number, fields: readonly HeaderField[], flags: number): void {
    const atMost = this.encoder.bytesAtMost(fields);
    if (atMost > smallestMaxFrameBytes) {
      this.#longHeaders(streamId, fields, flags);
      return;
    }
    this.#room(frameHeadBytes + atMost);
    const start = this.#at + frameHeadBytes;
    const end = this.encoder.encode(fields, this.#slab, start);
    this.#head(end - start, (frameType.headers << 8) | frameFlag.endHeaders | flags, streamId);
    this.#at = end;
  }

  rstStream(streamId: number, code: number): void {
    this.#numberFrame(frameType.rstStream, streamId, code);
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#numberFrame(frameType.windowUpdate, streamId, bytes);
  }

  /** SETTINGS or PING; `kind` is type and flags. */
  frame(kind: number, payload: Buffer): void {
    this.#room(frameHeadBytes + payload.length);
    this.#head(payload.length, kind, 0);
    this.raw(payload);
  }

  goaway(lastStreamId: number, code: number): void {
    this.#room(frameHeadBytes + 8);
    this.#head(8, frameType.goaway << 8, 0);
    writeUint32(this.#slab, this.#at, lastStreamId);
    writeUint32(this.#slab, this.#at + 4, code);
    this.#at += 8;
  }

  /** Bytes as they are, at most a slab. */
  raw(bytes: Buffer): void {
    this.#room(bytes.length);
    this.#openAt = noFrame;
    this.#slab.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#slab === noBytes) return;
    this.#push();
    giveSlab(this.#slab);
    this.#slab = noBytes;
  }

  #numberFrame(type: number, streamId: number, value: number): void {
    this.#room(frameHeadBytes + 4);
    this.#head(4, type << 8, streamId);
    writeUint32(this.#slab, this.#at, value);
    this.#at += 4;
  }

  /** Makes room for so many bytes of DATA of a stream, in its last frame or in a new one; answers where they go. */
  #openData(streamId: number, bytes: number): number {
    const openAt = this.#openAt;
    const length = this.#at - openAt - frameHeadBytes + bytes;
    if (
      openAt !== noFrame &&
      this.#openStream === streamId &&
      length <= this.maxDataBytes &&
      this.#at + bytes <= slabBytes
    ) {
      const slab = this.#slab;
      slab[openAt] = length >>> 16;
      slab[openAt + 1] = length >>> 8;
      slab[openAt + 2] = length;
    } else {
      this.#room(frameHeadBytes + bytes);
      this.#head(bytes, frameType.data << 8, streamId);
      this.#openAt = this.#at - frameHeadBytes;
      this.#openStream = streamId;
    }
    const at = this.#at;
    this.#at = at + bytes;
    return at;
  }

  /** Writes a frame's head where there is room. `kind`: type and flags. */
  #head(length: number, kind: number, streamId: number): void {
    const slab = this.#slab;
    const at = this.#at;
    slab[at] = length >>> 16;
    slab[at + 1] = length >>> 8;
    slab[at + 2] = length;
    slab[at + 3] = kind >>> 8;
    slab[at + 4] = kind;
    slab[at + 5] = streamId >>> 24;
    slab[at + 6] = streamId >>> 16;
    slab[at + 7] = streamId >>> 8;
    slab[at + 8] = streamId;
    this.#at = at + frameHeadBytes;
    this.#openAt = noFrame;
  }

  /** Has the slab take so many bytes more. */
  #room(bytes: number): void {
    if (this.#slab === noBytes) this.#start();
    else if (this.#at + bytes > slabBytes) this.#push();
  }

  #start(): void {
    this.#slab = takeSlab(slabBytes);
    this.#at = 0;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    later(this);
  }

  #push(): void {
    this.#openAt = noFrame;
    if (this.#at === 0) return;
    if (this.isBlocked) this.bytesWhileBlocked += this.#at;
    const isTaken = this.#pipe.write(this.#slab.subarray(0, this.#at));
    this.#at = 0;
    if (isTaken || this.isBlocked) return;
    this.isBlocked = true;
    this.#onBlocked();
  }

  /** A block that does not fit into one frame or slab goes on in CONTINUATION frames (RFC 9113, section 6.10). */
  #longHeaders(streamId: number, fields: readonly HeaderField[], flags: number): void {
    const block = Buffer.allocUnsafe(this.encoder.bytesAtMost(fields));
    const blockEnd = this.encoder.encode(fields, block, 0);
    let kind = (frameType.headers << 8) | flags;
    for (let from = 0; from < blockEnd; from += smallestMaxFrameBytes) {
      const to = Math.min(blockEnd, from + smallestMaxFrameBytes);
      if (to === blockEnd) kind |= frameFlag.endHeaders;
      this.#room(frameHeadBytes + to - from);
      this.#head(to - from, kind, streamId);
      this.raw(block.subarray(from, to));
      kind = frameType.continuation << 8;
    }
  }
}
