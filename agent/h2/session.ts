import type { HeaderField } from '#agent/http/header-field.ts';
import type { Pipe, PipeReader } from '#agent/pipe/pipe.ts';
import { later } from '#agent/pipe/turn.ts';
import { codeOfExpiry, h2Error, type CloseReason, type SessionProblem } from './errors.ts';
import { costOfReset, FloodGuard, maxBytesWhileBlocked, maxHeadBytesWhileBlocked, resetCost } from './floods.ts';
import { FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { clientPreface, frameFlag, frameType, largest31Bits } from './frames.ts';
import type { ReceiverHost } from './receiver-host.ts';
import { Receiver } from './receiver.ts';
import { lingering } from './lingering.ts';
import { readSettings, writeSettings } from './session-settings.ts';
import type { H2SessionOptions } from './session-options.ts';
import { SessionWatch, type WatchedSession } from './session-watch.ts';
import { StreamKeeper } from './stream-keeper.ts';
import type { StreamTable } from './stream-table.ts';
import type { Stream } from './stream.ts';
import type { H2ErrorCode, H2Session, H2SessionHandler, H2Settings, H2Stream, H2StreamHandler } from './types.ts';

/** How long a draining server waits for the peer to have heard of it, so that no request crosses with the news. */
const goawayMs = 5_000;

/** How long a peer may take to end its side after our last words. */
const lingerMs = 1_000;

const settingsKind = frameType.settings << 8;
const pingKind = frameType.ping << 8;
const aliveMark = Buffer.from('alive?\0\0');
const drainMark = Buffer.from('drained?');

/** Speaks HTTP/2 (RFC 9113) over a pipe, in either role. The preface and our SETTINGS go out at once. */
export function createH2Session(options: H2SessionOptions): H2Session {
  const session = new Session(options);
  options.pipe.reader = session;
  session.start();
  options.pipe.resume();
  return session;
}

class Session implements H2Session, PipeReader, ReceiverHost, WatchedSession {
  readonly role: 'client' | 'server';
  readonly settings: H2Settings;
  readonly keeper: StreamKeeper;
  readonly streams: StreamTable;
  readonly writer: FrameWriter;
  readonly floods: FloodGuard;
  peerMaxStreams = 0;
  peerWorker: H2Session['peerWorker'];
  drains = 0;
  readonly #pipe: Pipe;
  readonly #handler: H2SessionHandler;
  readonly #receiver: Receiver;
  readonly #reader: FrameReader;
  readonly #watch: SessionWatch;
  #nextId = 1;
  #isReady = false;
  #isClosed = false;
  #peerGoesAway = false;
  /** `asked`: GOAWAY is out, what crosses with it is still taken. `told`: the last stream is named. */
  #draining: 'no' | 'asked' | 'told' = 'no';
  #isReadingStopped = false;

  constructor({ role, pipe, settings, times, clock, handler }: H2SessionOptions) {
    this.role = role;
    this.settings = settings;
    this.#pipe = pipe;
    this.#handler = handler;
    this.writer = new FrameWriter(pipe, () => this.#onBlocked());
    this.keeper = new StreamKeeper(settings, this.writer, clock, () => this.#onEmpty());
    this.streams = this.keeper.table;
    this.#receiver = new Receiver(this);
    this.floods = new FloodGuard(clock, {
      useful: () => this.keeper.sender.usefulFrames + this.#receiver.usefulFrames + this.#receiver.heads.usefulFrames,
      answered: () => this.keeper.answered,
    });
    this.#reader = new FrameReader(this.#receiver, role === 'server' ? 'preface' : 'frames');
    this.#watch = new SessionWatch(clock, times, this);
  }

  start(): void {
    if (this.role === 'client') this.writer.raw(clientPreface);
    this.writer.frame(settingsKind, writeSettings(this.role, this.settings));
    this.keeper.flow.open();
    this.#watch.start();
  }

  get openStreams(): number {
    return this.streams.size;
  }
  get takesStreams(): boolean {
    const isTaking = this.#isReady && !this.#peerGoesAway && this.#draining === 'no' && !this.#isClosed;
    return isTaking && this.#nextId <= largest31Bits;
  }
  get isBackedUp(): boolean {
    return this.writer.bytesWhileBlocked > maxHeadBytesWhileBlocked;
  }

  request(fields: readonly HeaderField[], end: boolean, handler: H2StreamHandler): H2Stream | undefined {
    if (this.role !== 'client' || !this.takesStreams || this.isBackedUp) return undefined;
    if (this.streams.size >= this.peerMaxStreams) return undefined;
    const stream = this.keeper.open(this.#nextId);
    this.#nextId += 2;
    stream.handler = handler;
    stream.asks(fields);
    this.keeper.sender.headers(stream, fields, end);
    return stream;
  }

  drain(): void {
    if (this.#isClosed || this.#draining !== 'no') return;
    if (this.role === 'client') {
      this.#draining = 'told';
      this.writer.goaway(0, h2Error.none);
      this.#onEmpty();
      return;
    }
    this.#draining = 'asked';
    this.writer.goaway(largest31Bits, h2Error.none);
    this.writer.frame(pingKind, drainMark);
    this.#watch.after('goaway', goawayMs, () => this.#nameLast());
  }

  ping(ms: number): void {
    if (!this.#isClosed && this.#watch.onPing(ms)) this.writer.frame(pingKind, aliveMark);
  }

  destroy(code: H2ErrorCode): void {
    this.#finish('destroyed', code);
  }

  // What comes from the pipe.

  onBytes(bytes: Buffer): void {
    this.#reader.push(bytes);
    if (this.#receiver.heads.openStream !== 0 && !this.#isClosed) this.#watch.onOpenBlock();
    if (this.writer.isBlocked && !this.#isClosed) this.#onBlocked();
  }
  onDrain(): void {
    this.drains += 1;
    this.writer.isBlocked = false;
    this.writer.bytesWhileBlocked = 0;
    if (this.#isReadingStopped) {
      this.#isReadingStopped = false;
      this.#pipe.resume();
    }
    this.keeper.sender.pump();
  }
  onEnd(): void {
    this.#finish(this.#draining !== 'no' && this.streams.size === 0 ? 'drained' : 'peer-closed', h2Error.none);
  }
  onCut(): void {
    this.#finish('pipe-cut', h2Error.none);
  }

  // What the watch looks at.

  get everOpened(): number {
    return this.#nextId + this.streams.lastPeerId;
  }
  get openBlock(): number {
    return this.#receiver.heads.openBlock;
  }
  get isBlocked(): boolean {
    return this.writer.isBlocked;
  }
  expire(reason: CloseReason): void {
    this.#finish(reason, codeOfExpiry(reason));
  }

  // What the receiver needs.

  isIdle(streamId: number): boolean {
    const isPeers = (streamId & 1) === (this.role === 'server' ? 1 : 0);
    if (isPeers) return streamId > this.streams.lastPeerId;
    return this.role === 'server' || streamId >= this.#nextId;
  }

  accept(streamId: number): Stream | undefined {
    if (this.#draining === 'told' || this.streams.size >= this.settings.maxStreams) return undefined;
    const stream = this.keeper.open(streamId);
    this.#handler.onStream(stream);
    return stream;
  }

  widen(stream: Stream | undefined, bytes: number): boolean {
    return this.keeper.sender.widen(stream, bytes);
  }

  fail(code: H2ErrorCode, problem: SessionProblem): void {
    this.#finish(problem, code);
  }

  streamError(stream: Stream, code: H2ErrorCode): void {
    this.keeper.breakOff(stream, code);
    stream.handler.onReset(code);
    if (!this.floods.allowsReset(resetCost.violation)) this.fail(h2Error.enhanceYourCalm, 'flood');
  }

  streamReset(stream: Stream, code: H2ErrorCode): void {
    this.streams.remove(stream);
    stream.handler.onReset(code);
    if (this.role === 'client' || this.floods.allowsReset(costOfReset(stream, this.keeper.ageOf(stream)))) return;
    this.fail(h2Error.enhanceYourCalm, 'flood');
  }

  onSettings(payload: Buffer): void {
    const read = readSettings(payload, this.role === 'client' ? 'server' : 'client');
    if (!read.ok) return this.fail(read.reason, 'bad-settings');
    const { headerTableBytes, maxStreams, windowBytes, worker } = read.value;
    this.peerWorker ??= worker;
    if (maxStreams !== undefined) this.peerMaxStreams = maxStreams;
    else if (!this.#isReady) this.peerMaxStreams = largest31Bits;
    if (headerTableBytes !== undefined) this.writer.encoder.limitTable(headerTableBytes);
    if (windowBytes !== undefined && !this.keeper.sender.setInitialWindow(windowBytes)) {
      return this.fail(h2Error.flowControl, 'window-exceeded');
    }
    this.writer.frame(settingsKind | frameFlag.ack, payload.subarray(0, 0));
    this.keeper.sender.pump();
    if (this.#isReady) return undefined;
    this.#isReady = true;
    this.#watch.onSettings();
    return this.#handler.onReady();
  }

  onSettingsAck(): void {
    this.#watch.onSettingsAck();
    this.keeper.flow.onSettingsAck();
  }

  onPong(payload: Buffer): void {
    if (payload.equals(aliveMark)) this.#watch.onPong();
    else if (payload.equals(drainMark) && this.#draining === 'asked') this.#nameLast();
  }

  onGoaway(lastStreamId: number): void {
    const isFirst = !this.#peerGoesAway;
    this.#peerGoesAway = true;
    if (this.role === 'client') {
      for (const stream of [...this.streams.values()]) {
        if (stream.id <= lastStreamId) continue;
        this.streams.rememberReset(stream.id);
        this.streams.remove(stream);
        stream.handler.onReset(h2Error.refusedStream);
      }
    }
    if (isFirst) this.#handler.onGoaway();
    this.#onEmpty();
  }

  /** The second GOAWAY of a server: from here on it takes nothing (RFC 9113, section 6.8). */
  #nameLast(): void {
    this.#draining = 'told';
    this.writer.goaway(this.streams.lastPeerId, h2Error.none);
    this.#onEmpty();
  }

  #onBlocked(): void {
    this.#watch.onBlocked();
    if (this.writer.bytesWhileBlocked <= maxBytesWhileBlocked[this.role] || this.#isReadingStopped) return undefined;
    if (this.role === 'client') return this.fail(h2Error.enhanceYourCalm, 'flood');
    this.#isReadingStopped = true;
    return this.#pipe.pause();
  }

  /** Ends a draining session after its last stream, at the end of the turn: whoever ended that stream is still at work. */
  #onEmpty(): void {
    if (this.streams.size === 0 && !this.#isClosed && this.#isLeaving) later({ flush: () => this.#endDrained() });
  }
  get #isLeaving(): boolean {
    return this.#draining === 'told' || (this.#peerGoesAway && this.role === 'client');
  }
  #endDrained(): void {
    if (this.streams.size === 0 && this.#isLeaving) this.#finish('drained', h2Error.none);
  }

  /** Last words, then the end of the pipe; every stream is told, then the handler. */
  #finish(reason: CloseReason, code: H2ErrorCode): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reader.stop();
    this.#watch.stop();
    const pipe = this.#pipe;
    if (reason !== 'pipe-cut' && reason !== 'drained') this.writer.goaway(this.streams.lastPeerId, code);
    this.writer.flush();
    if (reason === 'pipe-cut' || reason === 'wire-stalled' || reason === 'ping-timeout') {
      pipe.cut();
    } else {
      pipe.reader = lingering(() => this.#watch.stop());
      pipe.end();
      pipe.resume();
      this.#watch.after('linger', lingerMs, () => pipe.cut());
    }
    const streamCode = code === h2Error.none ? h2Error.cancel : code;
    for (const stream of [...this.streams.values()]) {
      this.streams.remove(stream);
      stream.handler.onReset(streamCode);
    }
    this.#handler.onClosed(reason);
  }
}
