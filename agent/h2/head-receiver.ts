import type { HeaderField } from '#agent/http/header-field.ts';
import { h2Error } from './errors.ts';
import { fieldKind } from './field-kind.ts';
import { contentLengthOf, requestProblem, responseProblem, trailersProblem } from './fields.ts';
import { frameCost, maxContinuations, maxInformationalHeads, resetCost } from './floods.ts';
import { frameFlag } from './frames.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import type { ReceiverHost } from './receiver-host.ts';
import { ourTableBytes } from './session-settings.ts';
import type { Stream } from './stream.ts';

/** Blocks may be so many times longer than lists before they are not even decoded. */
const blockFactor = 2;

/** Beside a frame's flags: its block is fine, but the message is malformed. */
export const malformedHead = 0x100;

const zeroLength: HeaderField = { name: 'content-length', rawName: 'content-length', value: '0' };
const tooLarge = [{ name: ':status', rawName: ':status', value: '431' }, zeroLength];
const notAllowed = [{ name: ':status', rawName: ':status', value: '405' }, zeroLength];

/** What HEADERS says beside its block. */
export interface BlockStart {
  readonly streamId: number;
  /** Of the frame, and `malformedHead`. */
  readonly flags: number;
}

/** Puts field blocks together, decodes them in order, judges them and tells the streams. */
export class HeadReceiver {
  /** The stream whose block goes on in CONTINUATION frames; 0: none. */
  openStream = 0;
  /** Sections that were passed on. */
  usefulFrames = 0;
  readonly #host: ReceiverHost;
  readonly #decoder: HpackDecoder;
  /** Blocks that did not come in one frame. */
  #longBlocks = 0;
  #fragments: Buffer[] = [];
  #blockBytes = 0;
  #ends = false;
  #isMalformed = false;

  constructor(host: ReceiverHost) {
    this.#host = host;
    const { maxHeaderListBytes: maxListBytes, maxHeaders: maxFields } = host.settings;
    this.#decoder = new HpackDecoder({ tableBytes: ourTableBytes, maxListBytes, maxFields });
  }

  /** The number of the block that is not complete; 0: none. */
  get openBlock(): number {
    return this.openStream === 0 ? 0 : this.#longBlocks;
  }

  /** HEADERS, its padding and priority taken off. */
  begin({ streamId, flags }: BlockStart, bytes: Buffer, from: number, to: number): void {
    this.#ends = (flags & frameFlag.endStream) !== 0;
    this.#isMalformed = (flags & malformedHead) !== 0;
    if ((flags & frameFlag.endHeaders) !== 0) {
      this.#decode(streamId, bytes, from, to);
      return;
    }
    this.openStream = streamId;
    this.#longBlocks += 1;
    this.#fragments = [];
    this.#blockBytes = 0;
    this.#keep(bytes.subarray(from, to));
  }

  continue(flags: number, fragment: Buffer): void {
    this.#keep(fragment);
    const isTooMuch =
      this.#blockBytes > this.#host.settings.maxHeaderListBytes * blockFactor ||
      this.#fragments.length > maxContinuations;
    if (isTooMuch || !this.#host.floods.allowsWaste(frameCost.continuation)) {
      this.#fragments = [];
      this.#host.fail(h2Error.enhanceYourCalm, 'flood');
      return;
    }
    if ((flags & frameFlag.endHeaders) === 0) return;
    const streamId = this.openStream;
    const block = Buffer.concat(this.#fragments, this.#blockBytes);
    this.openStream = 0;
    this.#fragments = [];
    this.#decode(streamId, block, 0, block.length);
  }

  #keep(fragment: Buffer): void {
    this.#fragments.push(Buffer.from(fragment));
    this.#blockBytes += fragment.length;
  }

  /** Every block is decoded, also for streams that are gone: the table must keep step with the peer's. */
  #decode(streamId: number, bytes: Buffer, from: number, to: number): void {
    switch (this.#decoder.decode(bytes, from, to)) {
      case 'malformed':
        this.#host.fail(h2Error.compression, 'bad-field-block');
        return;
      case 'bomb':
        this.#host.fail(h2Error.enhanceYourCalm, 'flood');
        return;
      case 'oversized':
        this.#onOversized(streamId);
        return;
      case 'decoded':
    }
    const stream = this.#host.streams.get(streamId);
    if (stream === undefined) this.#onUnknown(streamId);
    else if (stream.remoteEnded) this.#host.streamError(stream, h2Error.streamClosed);
    else if (this.#isMalformed) this.#host.streamError(stream, h2Error.protocol);
    else if (this.#host.role === 'server' || stream.headReceived) this.#onTrailers(stream);
    else this.#onResponse(stream);
  }

  /** A head for a stream that is not there: a new request, or a stream that is gone. */
  #onUnknown(streamId: number): void {
    const host = this.#host;
    if (host.role === 'server' && (streamId & 1) === 1 && host.isIdle(streamId)) {
      this.#onRequest(streamId);
    } else if (host.isIdle(streamId)) {
      host.fail(h2Error.protocol, 'bad-frame');
    } else if (!host.streams.wasReset(streamId)) {
      host.fail(h2Error.streamClosed, 'frame-on-closed-stream');
    } else if (!host.floods.allowsWaste(frameCost.late)) {
      host.fail(h2Error.enhanceYourCalm, 'flood');
    }
  }

  #onRequest(streamId: number): void {
    const host = this.#host;
    const section = this.#decoder;
    const ends = this.#ends;
    host.streams.lastPeerId = streamId;
    const problem = requestProblem(section, host.settings.connect);
    if (problem === 'connect-refused') {
      this.#refuse(streamId, notAllowed);
      return;
    }
    const isConnect = (section.kinds & fieldKind.connect) !== 0;
    const expectedBytes = problem === undefined && !isConnect ? contentLengthOf(section) : -1;
    if (problem !== undefined || this.#isMalformed || (ends && expectedBytes > 0)) {
      this.#break(streamId, h2Error.protocol, resetCost.violation);
      return;
    }
    const stream = host.accept(streamId);
    if (stream === undefined) {
      this.#break(streamId, h2Error.refusedStream, resetCost.refused);
      return;
    }
    stream.isConnect = isConnect;
    stream.headReceived = true;
    stream.expectedBytes = expectedBytes;
    this.#pass(stream, section.fields, ends);
  }

  #onResponse(stream: Stream): void {
    const host = this.#host;
    const section = this.#decoder;
    const ends = this.#ends;
    const isInformational = (section.kinds & fieldKind.informational) !== 0;
    if (responseProblem(section) !== undefined || (isInformational && ends)) {
      host.streamError(stream, h2Error.protocol);
      return;
    }
    if (isInformational) {
      stream.informationalHeads += 1;
      if (stream.informationalHeads > maxInformationalHeads) host.streamError(stream, h2Error.enhanceYourCalm);
      else this.#pass(stream, section.fields, false);
      return;
    }
    stream.headReceived = true;
    if (stream.isHeadRequest || (section.kinds & fieldKind.bodiless) !== 0) stream.expectedBytes = 0;
    else if (!stream.isConnect) stream.expectedBytes = contentLengthOf(section);
    if (ends && stream.expectedBytes > 0) host.streamError(stream, h2Error.protocol);
    else this.#pass(stream, section.fields, ends);
  }

  #onTrailers(stream: Stream): void {
    const isMalformed =
      !this.#ends || stream.expectedBytes > 0 || stream.isConnect || trailersProblem(this.#decoder) !== undefined;
    if (isMalformed) this.#host.streamError(stream, h2Error.protocol);
    else this.#pass(stream, this.#decoder.fields, true);
  }

  #pass(stream: Stream, fields: readonly HeaderField[], ends: boolean): void {
    this.usefulFrames += 1;
    if (ends) stream.remoteEnded = true;
    stream.handler.onHeaders(fields, ends);
    if (ends) this.#host.streams.settle(stream);
  }

  /** More than we take, within reason. A request is answered 431, anything else ends its stream. */
  #onOversized(streamId: number): void {
    const host = this.#host;
    const stream = host.streams.get(streamId);
    if (stream !== undefined) host.streamError(stream, h2Error.enhanceYourCalm);
    else if (host.role === 'server' && (streamId & 1) === 1 && host.isIdle(streamId)) this.#refuse(streamId, tooLarge);
    else this.#onUnknown(streamId);
  }

  /** Answers a request by ourselves, without a stream. */
  #refuse(streamId: number, answer: readonly HeaderField[]): void {
    const host = this.#host;
    host.streams.lastPeerId = streamId;
    host.writer.headers(streamId, answer, frameFlag.endStream);
    if (!this.#ends) {
      host.writer.rstStream(streamId, h2Error.none);
      host.streams.rememberReset(streamId);
    }
    if (!host.floods.allowsWaste(frameCost.refusedHead)) host.fail(h2Error.enhanceYourCalm, 'flood');
  }

  #break(streamId: number, code: number, cost: number): void {
    const host = this.#host;
    host.writer.rstStream(streamId, code);
    host.streams.rememberReset(streamId);
    if (!host.floods.allowsReset(cost)) host.fail(h2Error.enhanceYourCalm, 'flood');
  }
}
