import type { FrameWriter } from './frame-writer.ts';
import { initialWindowBytes } from './frames.ts';
import type { Stream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';

export interface FlowLimits {
  readonly windowBytes: number;
  readonly sessionWindowBytes: number;
  readonly unreadCeilingBytes: number;
}

/**
 * The windows that we give the peer (RFC 9113, section 5.2). A stream's credit goes back once its handler has the bytes
 * and does not pause; the session's goes back in any case, so that paused streams hold up nobody. What lies unread in
 * paused streams has a ceiling instead.
 */
export class ReceiveFlow {
  /** Of a stream that opens now: the larger of what we announced and what the peer assumes until it has read that. */
  streamWindow: number;
  readonly #limits: FlowLimits;
  readonly #writer: FrameWriter;
  readonly #streams: StreamTable;
  readonly #halfSession: number;
  readonly #halfStream: number;
  #uncredited = 0;
  #unread = 0;

  constructor(limits: FlowLimits, writer: FrameWriter, streams: StreamTable) {
    this.#limits = limits;
    this.#writer = writer;
    this.#streams = streams;
    this.#halfSession = Math.max(limits.sessionWindowBytes, initialWindowBytes) / 2;
    this.#halfStream = limits.windowBytes / 2;
    this.streamWindow = Math.max(limits.windowBytes, initialWindowBytes);
  }

  /** In paused streams. */
  get unreadBytes(): number {
    return this.#unread;
  }

  /** Makes the session's window as large as ours is meant to be; follows our SETTINGS. */
  open(): void {
    const more = this.#limits.sessionWindowBytes - initialWindowBytes;
    if (more > 0) this.#writer.windowUpdate(0, more);
  }

  /** The peer has read our SETTINGS. */
  onSettingsAck(): void {
    const less = this.streamWindow - this.#limits.windowBytes;
    this.streamWindow = this.#limits.windowBytes;
    if (less > 0) for (const stream of this.#streams.values()) stream.receiveWindow -= less;
  }

  /** DATA arrived, padding counts. The session's window is never used up, because it is given back at once. */
  take(bytes: number): void {
    this.#uncredited += bytes;
    if (this.#uncredited < this.#halfSession) return;
    this.#writer.windowUpdate(0, this.#uncredited);
    this.#uncredited = 0;
  }

  /** The handler has these bytes of the stream. */
  delivered(stream: Stream, bytes: number): void {
    if (stream.isPaused) {
      stream.unread += bytes;
      this.#unread += bytes;
      return;
    }
    stream.uncredited += bytes;
    if (stream.uncredited >= this.#halfStream) this.#giveBack(stream);
  }

  pause(stream: Stream): void {
    stream.isPaused = true;
  }

  resume(stream: Stream): void {
    stream.isPaused = false;
    this.#unread -= stream.unread;
    stream.uncredited += stream.unread;
    stream.unread = 0;
    if (stream.uncredited >= this.#halfStream) this.#giveBack(stream);
  }

  /** The stream is gone: its bytes are unread no more. */
  forget(stream: Stream): void {
    this.#unread -= stream.unread;
    stream.unread = 0;
    stream.isPaused = false;
  }

  /** The paused stream with most unread bytes while they are too many together. */
  get fullest(): Stream | undefined {
    if (this.#unread <= this.#limits.unreadCeilingBytes) return undefined;
    let fullest: Stream | undefined;
    for (const stream of this.#streams.values()) if (stream.unread > (fullest?.unread ?? 0)) fullest = stream;
    return fullest;
  }

  #giveBack(stream: Stream): void {
    if (!stream.remoteEnded && !stream.isClosed) {
      this.#writer.windowUpdate(stream.id, stream.uncredited);
      stream.receiveWindow += stream.uncredited;
    }
    stream.uncredited = 0;
  }
}
