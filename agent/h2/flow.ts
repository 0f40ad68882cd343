import type { FrameWriter } from './frame-writer.ts';
import { initialWindowBytes } from './frames.ts';
import { firstWindowBytes } from './session-settings.ts';
import type { Stream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';

export interface FlowLimits {
  readonly windowBytes: number;
  readonly firstWindowBytes?: number | undefined;
  readonly sessionWindowBytes: number;
  readonly unreadCeilingBytes: number;
}

/** While much lies unread, windows shrink to this. */
const leastWindowBytes = 32_768;

/**
 * The windows that we give the peer (RFC 9113, section 5.2). A stream's credit goes back once its handler has the bytes
 * and does not pause; the session's goes back in any case, so that paused streams hold up nobody. What lies unread in
 * paused streams has a ceiling instead. So that honest streams stay below it, a window doubles only while its reader
 * keeps up and all have not grown by half of the ceiling together, and shrinks, by credit that is not given back, while
 * half of the ceiling lies unread.
 */
export class ReceiveFlow {
  /** Of a stream that opens now: the larger of what we announced and what the peer assumes until it has read that. */
  streamWindow: number;
  readonly #limits: FlowLimits;
  readonly #writer: FrameWriter;
  readonly #streams: StreamTable;
  readonly #halfSession: number;
  readonly #firstWindow: number;
  #uncredited = 0;
  #unread = 0;
  /** What all open streams' windows are larger by than at first, or smaller. */
  #grown = 0;

  constructor(limits: FlowLimits, writer: FrameWriter, streams: StreamTable) {
    this.#limits = limits;
    this.#writer = writer;
    this.#streams = streams;
    this.#halfSession = Math.max(limits.sessionWindowBytes, initialWindowBytes) / 2;
    this.#firstWindow = firstWindowBytes(limits);
    this.streamWindow = Math.max(this.#firstWindow, initialWindowBytes);
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
    const less = this.streamWindow - this.#firstWindow;
    this.streamWindow = this.#firstWindow;
    if (less === 0) return;
    for (const stream of this.#streams.values()) {
      stream.receiveWindow -= less;
      stream.windowBytes -= less;
    }
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
    this.#mayGiveBack(stream);
  }

  pause(stream: Stream): void {
    stream.isPaused = true;
  }

  resume(stream: Stream): void {
    if (stream.unread * 4 >= stream.windowBytes * 3) stream.isReaderSlow = true;
    stream.isPaused = false;
    this.#unread -= stream.unread;
    stream.uncredited += stream.unread;
    stream.unread = 0;
    this.#mayGiveBack(stream);
  }

  /** The stream is gone: its bytes are unread no more. */
  forget(stream: Stream): void {
    this.#grown -= stream.grownBytes;
    stream.grownBytes = 0;
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

  /** Half a window at a time. */
  #mayGiveBack(stream: Stream): void {
    if (stream.uncredited * 2 < Math.min(stream.windowBytes, this.#limits.windowBytes)) return;
    if (stream.remoteEnded || stream.isClosed) return;
    const credit = stream.uncredited + this.#change(stream);
    stream.uncredited = 0;
    stream.isReaderSlow = false;
    if (credit === 0) return;
    this.#writer.windowUpdate(stream.id, credit);
    stream.receiveWindow += credit;
  }

  /** Makes the window larger or smaller by what is returned; smaller by no more than would be given back. */
  #change(stream: Stream): number {
    const { windowBytes, unreadCeilingBytes } = this.#limits;
    const room = Math.min(stream.windowBytes, windowBytes - stream.windowBytes, unreadCeilingBytes / 2 - this.#grown);
    let more = 0;
    if (this.#unread * 2 > unreadCeilingBytes) {
      more = -Math.max(0, Math.min(stream.uncredited, stream.windowBytes - leastWindowBytes));
    } else if (!stream.isReaderSlow && room > 0) {
      more = Math.floor(room);
    }
    stream.windowBytes += more;
    stream.grownBytes += more;
    this.#grown += more;
    return more;
  }
}
