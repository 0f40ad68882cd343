import { setImmediate as nextTurn } from 'node:timers/promises';
import { HpackEncoder } from '#agent/h2/hpack-encoder.ts';
import { clientPreface, frameFlag, frameType } from '#agent/h2/frames.ts';
import { defaultH2Times, type H2Times } from '#agent/h2/session-options.ts';
import { createH2Session } from '#agent/h2/session.ts';
import type { H2ErrorCode, H2Session, H2Settings, H2Stream, H2StreamHandler } from '#agent/h2/types.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { createMemoryPipes, type MemoryPipe, type MemoryPipeOptions, type MemoryPipes } from './memory-pipe.ts';
import { createRecordingReader } from './recording-reader.ts';

export const testH2Settings: H2Settings = {
  windowBytes: 1_048_576,
  sessionWindowBytes: 16_777_216,
  maxStreams: 100,
  maxHeaderListBytes: 65_536,
  maxHeaders: 100,
  connect: 'allow',
  unreadCeilingBytes: 33_554_432,
};

export function h2Fields(
  rows: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
): HeaderField[] {
  const list = Array.isArray(rows) ? (rows as readonly (readonly [string, string])[]) : Object.entries(rows);
  return list.map(([name, value]) => ({ name, rawName: name, value }));
}

export const getHead = h2Fields({ ':method': 'GET', ':scheme': 'http', ':authority': 'a', ':path': '/' });
export const postHead = h2Fields({ ':method': 'POST', ':scheme': 'http', ':authority': 'a', ':path': '/' });
export const connectHead = h2Fields({ ':method': 'CONNECT', ':authority': 'a:1' });
export const okHead = h2Fields({ ':status': '200' });

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function rawFrame(type: number, flags: number, streamId: number, payload: Buffer | string = ''): Buffer {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, body]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function settingsFrame(rows: readonly (readonly [id: number, value: number])[] = []): Buffer {
  const payload = rows.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id]), uint32(value)]));
  return rawFrame(frameType.settings, 0, 0, Buffer.concat(payload));
}

/** A field block of an encoder's own, so that blocks do not depend on each other. */
export function plainBlock(fields: readonly HeaderField[]): Buffer {
  const encoder = new HpackEncoder();
  const block = Buffer.alloc(encoder.bytesAtMost(fields));
  return block.subarray(0, encoder.encode(fields, block, 0));
}

/** HEADERS, whole; `flags` beside END_HEADERS. */
export function headersFrame(streamId: number, fields: readonly HeaderField[], flags = 0): Buffer {
  return rawFrame(frameType.headers, frameFlag.endHeaders | flags, streamId, plainBlock(fields));
}

/** Whole frames of a byte stream; leaves out a client's preface. */
export function readFrames(bytes: Buffer): RawFrame[] {
  const frames: RawFrame[] = [];
  let at = bytes.subarray(0, clientPreface.length).equals(clientPreface) ? clientPreface.length : 0;
  while (at + 9 <= bytes.length) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    const [type, flags, streamId] = [bytes[at + 3]!, bytes[at + 4]!, bytes.readUInt32BE(at + 5)];
    frames.push({ type, flags, streamId, payload: bytes.subarray(at + 9, end) });
    at = end;
  }
  return frames;
}

/** One word per frame for expectations: `HEADERS 1 end`, `RST_STREAM 3 PROTOCOL_ERROR`, `GOAWAY ENHANCE_YOUR_CALM`. */
export function frameStory(frames: readonly RawFrame[]): string[] {
  return frames.map(({ type, flags, streamId, payload }) => {
    const words = [typeNames[type] ?? `type ${type}`];
    if (streamId > 0) words.push(String(streamId));
    if (type === frameType.data) words.push(`${payload.length}`);
    if (type <= frameType.headers && (flags & frameFlag.endStream) !== 0) words.push('end');
    if ((type === frameType.settings || type === frameType.ping) && (flags & frameFlag.ack) !== 0) words.push('ack');
    if (type === frameType.rstStream) words.push(errorNames[payload.readUInt32BE(0)]!);
    if (type === frameType.goaway) words.push(errorNames[payload.readUInt32BE(4)]!);
    if (type === frameType.windowUpdate) words.push(`+${payload.readUInt32BE(0)}`);
    return words.join(' ');
  });
}

const typeNames = 'DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION'.split(
  ' ',
);

/** In the order of their codes. */
const errorNames: readonly string[] = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED'],
  ...['FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM'],
];

/** Keeps what a stream tells, one line each; DATA that follows DATA is joined. */
export class StreamLog implements H2StreamHandler {
  stream: H2Stream | undefined;
  readonly heads: (readonly HeaderField[])[] = [];
  readonly lines: string[] = [];
  readonly pieces: Buffer[] = [];
  drains = 0;
  onBytes: ((bytes: Buffer) => void) | undefined;
  onDrained: (() => void) | undefined;

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }
  onHeaders(fields: readonly HeaderField[], end: boolean): void {
    this.heads.push(fields);
    const said = fields.map(({ name, value }) => `${name}=${value}`).join(' ');
    this.lines.push(end ? `headers ${said} end` : `headers ${said}`);
  }
  onData(bytes: Buffer): void {
    this.pieces.push(Buffer.from(bytes));
    if (this.lines.at(-1) !== 'data') this.lines.push('data');
    this.onBytes?.(bytes);
  }
  onEnd(): void {
    this.lines.push('end');
  }
  onReset(code: H2ErrorCode): void {
    this.lines.push(`reset ${errorNames[code]}`);
  }
  onDrain(): void {
    this.drains += 1;
    this.onDrained?.();
  }
}

/** One session of ours with eyes: its streams in order, and what it was told itself. */
export interface WatchedH2Session {
  readonly session: H2Session;
  readonly pipe: MemoryPipe;
  /** Server: the streams it was given. */
  readonly streams: StreamLog[];
  /** `ready`, `goaway`, `closed: reason`. */
  readonly lines: string[];
  onStream: ((log: StreamLog) => void) | undefined;
}

export interface H2Stage {
  readonly clock?: FakeClock;
  readonly settings?: Partial<H2Settings>;
  readonly times?: Partial<H2Times>;
  readonly pipe?: MemoryPipeOptions;
}

function startSession(role: 'client' | 'server', pipe: MemoryPipe, stage: H2Stage): WatchedH2Session {
  const streams: StreamLog[] = [];
  const lines: string[] = [];
  const watched: { onStream: ((log: StreamLog) => void) | undefined } = { onStream: undefined };
  const session = createH2Session({
    role,
    pipe,
    settings: { ...testH2Settings, ...stage.settings },
    times: { ...defaultH2Times, ...stage.times },
    clock: stage.clock ?? createFakeClock(0),
    handler: {
      onStream(stream) {
        const log = new StreamLog();
        log.stream = stream;
        stream.handler = log;
        streams.push(log);
        watched.onStream?.(log);
      },
      onReady: () => void lines.push('ready'),
      onGoaway: () => void lines.push('goaway'),
      onClosed: (reason) => void lines.push(`closed: ${reason}`),
    },
  });
  return Object.assign(watched, { session, pipe, streams, lines });
}

/** Moves bytes and ends turns until nothing happens any more. */
async function settle(pipes: MemoryPipes): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) {
    await nextTurn();
    pipes.deliver();
  }
}

/** Our client and our server, joined. */
export interface H2Pair {
  readonly client: WatchedH2Session;
  readonly server: WatchedH2Session;
  settle(): Promise<void>;
  /** Opens a stream and sends its head; refuses to go on without one. */
  ask(fields: readonly HeaderField[], end?: boolean): StreamLog;
}

export async function startH2Pair(stage: H2Stage & { readonly client?: H2Stage } = {}): Promise<H2Pair> {
  const pipes = createMemoryPipes({ delivery: 'manual', ...stage.pipe });
  const server = startSession('server', pipes.b, stage);
  const client = startSession('client', pipes.a, { ...stage, ...stage.client });
  await settle(pipes);
  return {
    client,
    server,
    settle: () => settle(pipes),
    ask(fields, end = false) {
      const log = new StreamLog();
      log.stream = client.session.request(fields, end, log);
      if (log.stream === undefined) throw new Error('no stream can be opened');
      return log;
    },
  };
}

/** One session of ours whose peer is the test: it sends frames and reads frames. */
export interface H2Against extends WatchedH2Session {
  /** Sends bytes and waits for what follows from them. */
  send(...frames: readonly Buffer[]): Promise<void>;
  /** What the session has sent since the last call. */
  sent(): RawFrame[];
  /** The same in words. */
  story(): string[];
  settle(): Promise<void>;
  /** The test's end of the wire. */
  readonly peer: MemoryPipe;
}

/** A server of ours; preface and SETTINGS have been exchanged unless `prelude` says otherwise. */
export async function againstServer(
  stage: H2Stage & { readonly prelude?: readonly Buffer[] } = {},
): Promise<H2Against> {
  const settingsAck = rawFrame(frameType.settings, frameFlag.ack, 0);
  return against('server', stage, stage.prelude ?? [clientPreface, settingsFrame(), settingsAck]);
}

/** A client of ours. */
export async function againstClient(
  stage: H2Stage & { readonly prelude?: readonly Buffer[] } = {},
): Promise<H2Against> {
  const settingsAck = rawFrame(frameType.settings, frameFlag.ack, 0);
  return against('client', stage, stage.prelude ?? [settingsFrame(), settingsAck]);
}

async function against(
  role: 'client' | 'server',
  stage: H2Stage & { readonly prelude?: readonly Buffer[] },
  prelude: readonly Buffer[],
): Promise<H2Against> {
  const pipes = createMemoryPipes({ delivery: 'manual', ...stage.pipe });
  pipes.b.reader = createRecordingReader();
  pipes.b.resume();
  const watched = startSession(role, pipes.a, stage);
  const send = async (...frames: readonly Buffer[]): Promise<void> => {
    for (const frame of frames) pipes.b.write(frame);
    await settle(pipes);
  };
  await send(...prelude);
  if (stage.prelude === undefined) pipes.a.takeWritten();
  const sent = (): RawFrame[] => readFrames(pipes.a.takeWritten());
  const story = (): string[] => frameStory(sent());
  return Object.assign(watched, { send, sent, story, settle: () => settle(pipes), peer: pipes.b });
}
