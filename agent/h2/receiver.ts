import { h2Error } from './errors.ts';
import { frameCost } from './floods.ts';
import type { FrameSink } from './frame-reader.ts';
import { frameFlag, frameType, largest31Bits, readUint32, type FrameHead } from './frames.ts';
import { HeadReceiver, malformedHead } from './head-receiver.ts';
import type { ReceiverHost } from './receiver-host.ts';
import { ourMaxFrameBytes } from './session-settings.ts';
import type { Stream } from './stream.ts';

/** What frames of a type may look like (RFC 9113, section 6), by type. */
interface FrameRule {
  readonly on: 'session' | 'stream' | 'both';
  readonly bytes?: number;
}
const frameRules: readonly FrameRule[] = [
  { on: 'stream' },
  { on: 'stream' },
  { on: 'stream', bytes: 5 },
  { on: 'stream', bytes: 4 },
  { on: 'session' },
  { on: 'stream' },
  { on: 'session', bytes: 8 },
  { on: 'session' },
  { on: 'both', bytes: 4 },
  { on: 'stream' },
];

const pingAck = (frameType.ping << 8) | frameFlag.ack;

/** Takes the frames of one session and tells its streams, flow control and the session itself. */
export class Receiver implements FrameSink {
  readonly heads: HeadReceiver;
  /** DATA frames with bytes for a stream. */
  usefulFrames = 0;
  readonly #host: ReceiverHost;
  #hasSettings = false;
  /** The DATA frame that comes in pieces. */
  #dataStream: Stream | undefined;
  #dataFlags = 0;
  #dataBytes = 0;
  #pieceBytes = 0;

  constructor(host: ReceiverHost) {
    this.#host = host;
    this.heads = new HeadReceiver(host);
  }

  onBadPreface(): void {
    this.#host.fail(h2Error.protocol, 'not-http2');
  }
  onBadPadding(): void {
    this.#host.fail(h2Error.protocol, 'bad-frame');
  }

  onHead(head: FrameHead): void {
    const { type, streamId, length } = head;
    const { openStream } = this.heads;
    if (length > ourMaxFrameBytes) {
      this.#host.fail(h2Error.frameSize, 'bad-frame-size');
    } else if (!this.#hasSettings && (type !== frameType.settings || (head.flags & frameFlag.ack) !== 0)) {
      this.#host.fail(h2Error.protocol, 'not-http2');
    } else if (openStream !== 0 && (type !== frameType.continuation || streamId !== openStream)) {
      this.#host.fail(h2Error.protocol, 'bad-frame');
    } else if (type > frameType.continuation) {
      this.#waste(frameCost.unknown);
    } else {
      this.#checkHead(head);
    }
  }

  /** The hot path: a whole DATA frame. */
  onData(streamId: number, flags: number, bytes: Buffer): void {
    const host = this.#host;
    const { length } = bytes;
    if (!this.#hasSettings || this.heads.openStream !== 0 || length > ourMaxFrameBytes) {
      this.onHead({ type: frameType.data, flags, streamId, length });
      return;
    }
    const stream = this.#takeData(streamId, flags, length);
    if (stream === undefined) return;
    if (length > 0) {
      if (stream.expectedBytes >= 0 && !this.#isExpected(stream, length)) return;
      this.usefulFrames += 1;
      stream.handler.onData(bytes);
      if (stream.isClosed) return;
      host.keeper.flow.delivered(stream, length);
      if (stream.isPaused) this.#relieve();
    }
    if ((flags & frameFlag.endStream) !== 0) this.#endData(stream);
  }

  onDataPiece(bytes: Buffer): void {
    const stream = this.#dataStream;
    this.#pieceBytes += bytes.length;
    if (stream === undefined || stream.isClosed) return;
    if (stream.expectedBytes >= 0 && !this.#isExpected(stream, bytes.length)) return;
    stream.handler.onData(bytes);
    if (stream.isClosed) return;
    this.#host.keeper.flow.delivered(stream, bytes.length);
    if (stream.isPaused) this.#relieve();
  }

  onDataEnd(): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (stream === undefined || stream.isClosed) return;
    if (this.#pieceBytes > 0) this.usefulFrames += 1;
    const paddingBytes = this.#dataBytes - this.#pieceBytes;
    if (paddingBytes > 0) this.#host.keeper.flow.delivered(stream, paddingBytes);
    if ((this.#dataFlags & frameFlag.endStream) !== 0) this.#endData(stream);
    else if (this.#pieceBytes === 0) this.#waste(frameCost.emptyData);
  }

  onFrame(head: FrameHead, bytes: Buffer, at: number): void {
    const host = this.#host;
    switch (head.type) {
      case frameType.headers:
        this.#onHeaders(head, bytes, at);
        break;
      case frameType.priority:
        this.#onPriority(head.streamId, readUint32(bytes, at) & largest31Bits);
        break;
      case frameType.rstStream:
        this.#onRstStream(head.streamId, readUint32(bytes, at));
        break;
      case frameType.settings:
        if ((head.flags & frameFlag.ack) !== 0) {
          host.onSettingsAck();
        } else if (this.#waste(frameCost.settings)) {
          this.#hasSettings = true;
          host.onSettings(bytes.subarray(at, at + head.length));
        }
        break;
      case frameType.ping:
        if ((head.flags & frameFlag.ack) !== 0) host.onPong(bytes.subarray(at, at + head.length));
        else if (this.#waste(frameCost.ping)) host.writer.frame(pingAck, bytes.subarray(at, at + head.length));
        break;
      case frameType.goaway:
        if (this.#waste(frameCost.goaway)) host.onGoaway(readUint32(bytes, at) & largest31Bits);
        break;
      case frameType.windowUpdate:
        this.#onWindowUpdate(head.streamId, readUint32(bytes, at) & largest31Bits);
        break;
      case frameType.continuation:
        this.heads.continue(head.flags, bytes.subarray(at, at + head.length));
        break;
      default: // DATA and unknown types do not come here
    }
  }

  #checkHead({ type, flags, streamId, length }: FrameHead): void {
    const rule = frameRules[type]!;
    const isOnStream = streamId !== 0;
    if ((rule.on === 'session' && isOnStream) || (rule.on === 'stream' && !isOnStream)) {
      this.#host.fail(h2Error.protocol, 'bad-frame');
    } else if (rule.bytes !== undefined && rule.bytes !== length) {
      this.#host.fail(h2Error.frameSize, 'bad-frame-size');
    } else if (type === frameType.settings && ((flags & frameFlag.ack) !== 0 ? length > 0 : length % 6 !== 0)) {
      this.#host.fail(h2Error.frameSize, 'bad-frame-size');
    } else if (type === frameType.goaway && length < 8) {
      this.#host.fail(h2Error.frameSize, 'bad-frame-size');
    } else if (type === frameType.pushPromise || (type === frameType.continuation && this.heads.openStream === 0)) {
      this.#host.fail(h2Error.protocol, 'bad-frame');
    } else if (type === frameType.data) {
      this.#dataFlags = flags;
      this.#dataBytes = length;
      this.#pieceBytes = 0;
      this.#dataStream = this.#takeData(streamId, flags, length);
    }
  }

  /** Counts a DATA frame against both windows. Undefined: its bytes are for nobody. */
  #takeData(streamId: number, flags: number, length: number): Stream | undefined {
    const host = this.#host;
    host.keeper.flow.take(length);
    const stream = host.streams.get(streamId);
    if (stream === undefined) {
      this.#lateData(streamId);
      return undefined;
    }
    if (stream.remoteEnded) {
      host.streamError(stream, h2Error.streamClosed);
      return undefined;
    }
    if (!stream.headReceived) {
      host.streamError(stream, h2Error.protocol);
      return undefined;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      host.streamError(stream, h2Error.flowControl);
      return undefined;
    }
    if (length === 0 && (flags & frameFlag.endStream) === 0 && !this.#waste(frameCost.emptyData)) return undefined;
    return stream;
  }

  #lateData(streamId: number): void {
    const host = this.#host;
    if (streamId === 0 || host.isIdle(streamId)) host.fail(h2Error.protocol, 'bad-frame');
    else if (host.streams.wasReset(streamId)) this.#waste(frameCost.late);
    else host.fail(h2Error.streamClosed, 'frame-on-closed-stream');
  }

  /** Whether `content-length` allows for so many bytes more (section 8.1.1). */
  #isExpected(stream: Stream, bytes: number): boolean {
    stream.expectedBytes -= bytes;
    if (stream.expectedBytes >= 0) return true;
    this.#host.streamError(stream, h2Error.protocol);
    return false;
  }

  #endData(stream: Stream): void {
    if (stream.expectedBytes > 0) {
      this.#host.streamError(stream, h2Error.protocol);
      return;
    }
    stream.remoteEnded = true;
    stream.handler.onEnd();
    this.#host.streams.settle(stream);
  }

  /** Too much lies unread in paused streams: the fullest go, the others notice nothing. */
  #relieve(): void {
    const { keeper } = this.#host;
    const { flow } = keeper;
    for (let fullest = flow.fullest; fullest !== undefined; fullest = flow.fullest) {
      keeper.relieve(fullest);
    }
    keeper.tellHeld();
  }

  #onHeaders(head: FrameHead, bytes: Buffer, at: number): void {
    const { flags, streamId } = head;
    if ((flags & (frameFlag.padded | frameFlag.priority)) === 0) {
      this.heads.begin(head, bytes, at, at + head.length);
      return;
    }
    const isPadded = (flags & frameFlag.padded) !== 0;
    const hasPriority = (flags & frameFlag.priority) !== 0;
    const dependency = isPadded ? at + 1 : at;
    const from = hasPriority ? dependency + 5 : dependency;
    const to = at + head.length - (isPadded && head.length > 0 ? bytes[at]! : 0);
    if (from > to) {
      this.#host.fail(h2Error.protocol, 'bad-frame');
      return;
    }
    // Priorities mean nothing any more, but a stream that waits for itself is wrong (RFC 7540, section 5.3.1).
    const dependsOnItself = hasPriority && (readUint32(bytes, dependency) & largest31Bits) === streamId;
    this.heads.begin({ streamId, flags: dependsOnItself ? flags | malformedHead : flags }, bytes, from, to);
  }

  #onPriority(streamId: number, dependency: number): void {
    if (!this.#waste(frameCost.priority) || dependency !== streamId) return;
    const stream = this.#host.streams.get(streamId);
    if (stream !== undefined) this.#host.streamError(stream, h2Error.protocol);
    else this.#host.fail(h2Error.protocol, 'bad-frame');
  }

  #onRstStream(streamId: number, code: number): void {
    const host = this.#host;
    const stream = host.streams.get(streamId);
    if (stream !== undefined) host.streamReset(stream, code);
    else if (host.isIdle(streamId)) host.fail(h2Error.protocol, 'bad-frame');
    else this.#waste(frameCost.reset);
  }

  #onWindowUpdate(streamId: number, bytes: number): void {
    const host = this.#host;
    const stream = streamId === 0 ? undefined : host.streams.get(streamId);
    if (streamId !== 0 && host.isIdle(streamId)) {
      host.fail(h2Error.protocol, 'bad-frame');
    } else if (streamId !== 0 && stream === undefined) {
      this.#waste(frameCost.windowUpdate);
    } else if (bytes === 0) {
      if (stream === undefined) host.fail(h2Error.protocol, 'bad-frame');
      else host.streamError(stream, h2Error.protocol);
    } else if (this.#waste(frameCost.windowUpdate) && !host.widen(stream, bytes)) {
      if (stream === undefined) host.fail(h2Error.flowControl, 'window-exceeded');
      else host.streamError(stream, h2Error.flowControl);
    }
  }

  /** False: that was one frame too many. */
  #waste(cost: number): boolean {
    if (this.#host.floods.allowsWaste(cost)) return true;
    this.#host.fail(h2Error.enhanceYourCalm, 'flood');
    return false;
  }
}
