import { clientPreface, frameFlag, frameHeadBytes, frameType, type FrameHead } from './frames.ts';

/** Who gets the frames. Bytes are valid during the call only. */
export interface FrameSink {
  /** The head of any frame but one that `onData` gets whole. What is wrong with it is to be said now, before its payload is gathered. */
  onHead(head: FrameHead): void;
  /** A whole DATA frame without padding: the usual case in one call. */
  onData(streamId: number, flags: number, bytes: Buffer): void;
  /** Any other DATA frame, after `onHead`: pieces without the padding, then its end. */
  onDataPiece(bytes: Buffer): void;
  onDataEnd(): void;
  /** A frame of another known type, whole: its payload stands in `bytes` from `at`. */
  onFrame(head: FrameHead, bytes: Buffer, at: number): void;
  /** The padding, or its length, lies beyond the frame. */
  onBadPadding(): void;
  /** The first bytes are not the client's preface. */
  onBadPreface(): void;
}

type Part = 'preface' | 'head' | 'pad-length' | 'data' | 'padding' | 'gather' | 'skip';

/**
 * Cuts a byte stream into frames, whatever pieces it comes in. Payloads are slices of the bytes given where a frame lies
 * within them; DATA is passed on in pieces without waiting for the rest.
 */
export class FrameReader implements FrameHead {
  length = 0;
  type = 0;
  flags = 0;
  streamId = 0;
  readonly #sink: FrameSink;
  #part: Part;
  /** Bytes of the current part that have not come. */
  #left = 0;
  #padding = 0;
  readonly #head = Buffer.alloc(frameHeadBytes);
  #gathered: Buffer = this.#head;
  #isStopped = false;

  /** `expects`: a server's first bytes are the client's preface. */
  constructor(sink: FrameSink, expects: 'preface' | 'frames') {
    this.#sink = sink;
    this.#part = 'head';
    this.#left = frameHeadBytes;
    if (expects === 'preface') {
      this.#part = 'preface';
      this.#left = clientPreface.length;
    }
  }

  /** Between two frames: nothing waits for its rest. */
  get isAtRest(): boolean {
    return this.#part === 'head' && this.#left === frameHeadBytes;
  }

  /** Reads nothing more, not even the rest of the bytes it was given. */
  stop(): void {
    this.#isStopped = true;
  }

  push(bytes: Buffer): void {
    const end = bytes.length;
    let at = 0;
    while (at < end && !this.#isStopped) {
      if (this.#part !== 'head' || this.#left !== frameHeadBytes || end - at < frameHeadBytes) {
        at = this.#continue(bytes, at);
        continue;
      }
      const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
      const start = at + frameHeadBytes;
      if (bytes[at + 3] === frameType.data && length <= end - start && (bytes[at + 4]! & frameFlag.padded) === 0) {
        const streamId =
          ((bytes[at + 5]! & 0x7f) << 24) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 8) | bytes[at + 8]!;
        this.#sink.onData(streamId, bytes[at + 4]!, bytes.subarray(start, start + length));
        at = start + length;
        continue;
      }
      this.#readHead(bytes, at);
      at = start;
    }
  }

  /** Takes what the current part still needs from `bytes`, as far as they go; answers where it stopped. */
  #continue(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    const taken = end - at;
    switch (this.#part) {
      case 'preface': {
        const seen = clientPreface.length - this.#left;
        this.#left -= taken;
        if (bytes.compare(clientPreface, seen, seen + taken, at, end) !== 0) this.#sink.onBadPreface();
        else if (this.#left === 0) this.#expectHead();
        return end;
      }
      case 'head':
        bytes.copy(this.#head, frameHeadBytes - this.#left, at, end);
        this.#left -= taken;
        if (this.#left === 0) this.#readHead(this.#head, 0);
        return end;
      case 'pad-length':
        this.#readPadLength(bytes[at]!);
        return at + 1;
      case 'data':
        this.#left -= taken;
        if (taken > 0) this.#sink.onDataPiece(bytes.subarray(at, end));
        if (this.#left === 0 && !this.#isStopped) this.#expectPadding();
        return end;
      case 'padding':
      case 'skip':
        this.#left -= taken;
        if (this.#left === 0) this.#endPart();
        return end;
      case 'gather':
        return this.#gather(bytes, at, end);
    }
  }

  #readHead(bytes: Buffer, at: number): void {
    this.length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    this.type = bytes[at + 3]!;
    this.flags = bytes[at + 4]!;
    this.streamId = ((bytes[at + 5]! & 0x7f) << 24) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 8) | bytes[at + 8]!;
    this.#sink.onHead(this);
    if (this.#isStopped) return;
    this.#padding = 0;
    this.#left = this.length;
    if (this.type === frameType.data) {
      if ((this.flags & frameFlag.padded) !== 0 && this.length === 0) this.#sink.onBadPadding();
      else if ((this.flags & frameFlag.padded) !== 0) this.#expect('pad-length', 1);
      else if (this.length === 0) this.#expectPadding();
      else this.#part = 'data';
    } else if (this.type > frameType.continuation) {
      if (this.length === 0) this.#expectHead();
      else this.#part = 'skip';
    } else if (this.length === 0) {
      this.#expectHead();
      this.#sink.onFrame(this, this.#head, 0);
    } else {
      this.#part = 'gather';
    }
  }

  #readPadLength(padding: number): void {
    const dataBytes = this.length - 1 - padding;
    if (dataBytes < 0) return this.#sink.onBadPadding();
    this.#padding = padding;
    if (dataBytes === 0) return this.#expectPadding();
    return this.#expect('data', dataBytes);
  }

  #expectPadding(): void {
    this.#expect('padding', this.#padding);
    if (this.#padding === 0) this.#endPart();
  }

  /** The end of padding or of an unknown frame. */
  #endPart(): void {
    const isData = this.#part === 'padding';
    this.#expectHead();
    if (isData) this.#sink.onDataEnd();
  }

  /** A payload that is whole in `bytes` is not copied. */
  #gather(bytes: Buffer, at: number, end: number): number {
    const isFirst = this.#left === this.length;
    if (isFirst && end - at === this.length) {
      this.#expectHead();
      this.#sink.onFrame(this, bytes, at);
      return end;
    }
    if (isFirst) this.#gathered = Buffer.allocUnsafe(this.length);
    bytes.copy(this.#gathered, this.length - this.#left, at, end);
    this.#left -= end - at;
    if (this.#left > 0) return end;
    const payload = this.#gathered;
    this.#gathered = this.#head;
    this.#expectHead();
    this.#sink.onFrame(this, payload, 0);
    return end;
  }

  #expectHead(): void {
    this.#expect('head', frameHeadBytes);
  }

  #expect(part: Part, bytes: number): void {
    this.#part = part;
    this.#left = bytes;
  }
}
