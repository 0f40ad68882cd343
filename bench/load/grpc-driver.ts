import {
  firstWindow,
  flag,
  frame,
  frameType,
  FrameReader,
  grpcMessage,
  headerBlock,
  largestWindow,
  Outgoing,
  preface,
  setting,
  settingsFrame,
  settingsIn,
  windowUpdate,
  type Frame,
} from '#bench/h2-frames.ts';
import type { GrpcWork } from './job.ts';
import { createLinesDriver, type Line } from './lines.ts';
import { openRaw } from './raw-socket.ts';
import type { Driver, Tally } from './tally.ts';

const callHeaders = headerBlock({
  ':method': 'POST',
  ':scheme': 'http',
  ':path': '/bench.Prices/Echo',
  ':authority': 'prices.bench.example',
  'content-type': 'application/grpc',
  te: 'trailers',
});

/** Each of the streams of each connection sends a message, waits for its echo, and so on. */
export function createGrpcDriver(
  work: GrpcWork & { readonly port: number; readonly connections: number },
  tally: Tally,
): Driver {
  return createLinesDriver(work.connections, tally, (again) => openGrpcLine(work, tally, again));
}

/** A stream, or with unary calls the current one of a row of streams. */
interface Call {
  sentMs: number;
  received: number;
  /** What the other side lets us send on this stream. */
  window: number;
}

function openGrpcLine(
  { port, calls, streams, messageBytes }: GrpcWork & { readonly port: number },
  tally: Tally,
  again: () => boolean,
): Line {
  const message = grpcMessage(messageBytes);
  const open = new Map<number, Call>();
  const waiting: number[] = []; // stream IDs that want to send and have no window
  const out = new Outgoing();
  const reader = new FrameReader();
  let [nextId, window, streamWindow] = [1, firstWindow, firstWindow];

  const begin = (): void => {
    const id = nextId;
    nextId += 2;
    open.set(id, { sentMs: 0, received: 0, window: streamWindow });
    out.add(frame(frameType.headers, flag.endHeaders, id, callHeaders));
    say(id);
  };
  const say = (id: number): void => {
    const call = open.get(id);
    if (call === undefined) return;
    if (Math.min(window, call.window) < messageBytes) return void waiting.push(id);
    window -= messageBytes;
    call.window -= messageBytes;
    call.sentMs = performance.now();
    out.add(frame(frameType.data, calls === 'unary' ? flag.endStream : 0, id, message));
  };
  const heard = (call: Call): void => {
    tally.answered(performance.now() - call.sentMs);
    call.received = 0;
  };

  const onData = ({ streamId, payload, flags }: Frame, call: Call): void => {
    if ((flags & flag.padded) !== 0) return tally.failed('padding was not expected');
    call.received += payload.length;
    tally.bytes += payload.length;
    if (calls === 'unary' || call.received < messageBytes) return;
    heard(call);
    if (again()) say(streamId);
  };
  const onEnd = (streamId: number, call: Call): void => {
    open.delete(streamId);
    if (calls === 'streaming') return tally.failed('a stream was ended');
    if (call.received !== messageBytes) return tally.failed(`a call was answered with ${call.received} bytes`);
    heard(call);
    if (again()) begin();
  };
  const onFrame = (each: Frame): void => {
    const { type, flags, streamId, payload } = each;
    const call = open.get(streamId);
    switch (type) {
      case frameType.data:
        if (call !== undefined) onData(each, call);
        break;
      case frameType.settings: {
        if ((flags & flag.ack) !== 0) break;
        const initial = settingsIn(payload).get(setting.initialWindowSize) ?? streamWindow;
        for (const other of open.values()) other.window += initial - streamWindow;
        streamWindow = initial;
        out.add(frame(frameType.settings, flag.ack, 0, Buffer.alloc(0)));
        break;
      }
      case frameType.ping:
        if ((flags & flag.ack) === 0) out.add(frame(frameType.ping, flag.ack, 0, Buffer.from(payload)));
        break;
      case frameType.windowUpdate:
        if (streamId === 0) window += payload.readUInt32BE();
        else if (call !== undefined) call.window += payload.readUInt32BE();
        for (const id of waiting.splice(0)) say(id);
        break;
      case frameType.reset:
        if (call !== undefined) tally.failed(`a stream was reset with code ${payload.readUInt32BE()}`);
        break;
      case frameType.goAway:
        tally.failed(`GOAWAY with code ${payload.readUInt32BE(4)}`);
        break;
    }
    const ends = (type === frameType.data || type === frameType.headers) && (flags & flag.endStream) !== 0;
    if (ends && call !== undefined) onEnd(streamId, call);
  };
  const flush = (): void => {
    const bytes = out.take();
    if (bytes !== undefined) socket.write(bytes);
  };

  const socket = openRaw(port, (bytes) => {
    reader.take(bytes, onFrame);
    flush();
  });
  socket.write(
    Buffer.concat([
      preface,
      settingsFrame([[setting.initialWindowSize, largestWindow]]),
      windowUpdate(0, largestWindow - firstWindow),
    ]),
  );
  return {
    socket,
    send() {
      for (let stream = 0; stream < streams; stream += 1) begin();
      flush();
    },
  };
}
