import type { Server } from 'node:net';
import {
  firstWindow,
  flag,
  frame,
  frameType,
  FrameReader,
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
import { listenRaw } from '#bench/load/raw-socket.ts';

const answerHeaders = headerBlock({ ':status': '200', 'content-type': 'application/grpc' });
const answerTrailers = headerBlock({ 'grpc-status': '0' });

/** Our window is given back when half of it is used. */
const streamWindow = 1024 * 1024;

/** A gRPC service that echoes what it is sent, over HTTP/2 without TLS. It does not look at headers: nothing depends on them. */
export function startGrpcApp(port: number): Promise<Server> {
  return listenRaw(port, (socket) => {
    const reader = new FrameReader(preface.length);
    const out = new Outgoing();
    const streams = new Map<number, { used: number; window: number }>();
    let [window, firstStreamWindow, used] = [firstWindow, firstWindow, 0];

    const echo = ({ streamId, payload }: Frame): void => {
      const stream = streams.get(streamId);
      if (stream === undefined || payload.length === 0) return;
      stream.used += payload.length;
      stream.window -= payload.length;
      window -= payload.length;
      used += payload.length;
      // Messages are small and acknowledged by their echo: whoever grants so little cannot be measured.
      if (Math.min(window, stream.window) < 0) throw new Error('the caller grants too little window');
      out.add(frame(frameType.data, 0, streamId, payload));
      if (stream.used > streamWindow / 2) {
        out.add(windowUpdate(streamId, stream.used));
        stream.used = 0;
      }
      if (used > streamWindow) {
        out.add(windowUpdate(0, used));
        used = 0;
      }
    };
    const onFrame = (each: Frame): void => {
      const { type, flags, streamId, payload } = each;
      switch (type) {
        case frameType.headers:
          streams.set(streamId, { used: 0, window: firstStreamWindow });
          out.add(frame(frameType.headers, flag.endHeaders, streamId, answerHeaders));
          break;
        case frameType.data:
          echo(each);
          break;
        case frameType.settings: {
          if ((flags & flag.ack) !== 0) break;
          const initial = settingsIn(payload).get(setting.initialWindowSize) ?? firstStreamWindow;
          for (const stream of streams.values()) stream.window += initial - firstStreamWindow;
          firstStreamWindow = initial;
          out.add(frame(frameType.settings, flag.ack, 0, Buffer.alloc(0)));
          break;
        }
        case frameType.ping:
          if ((flags & flag.ack) === 0) out.add(frame(frameType.ping, flag.ack, 0, Buffer.from(payload)));
          break;
        case frameType.windowUpdate: {
          const stream = streams.get(streamId);
          if (streamId === 0) window += payload.readUInt32BE();
          else if (stream !== undefined) stream.window += payload.readUInt32BE();
          break;
        }
        case frameType.reset:
          streams.delete(streamId);
          break;
      }
      const ends = (type === frameType.data || type === frameType.headers) && (flags & flag.endStream) !== 0;
      if (ends && streams.delete(streamId)) {
        out.add(frame(frameType.headers, flag.endHeaders | flag.endStream, streamId, answerTrailers));
      }
    };

    socket.write(
      Buffer.concat([
        settingsFrame([
          [setting.initialWindowSize, streamWindow],
          [setting.maxConcurrentStreams, 1000],
        ]),
        windowUpdate(0, largestWindow - firstWindow),
      ]),
    );
    return (bytes) => {
      reader.take(bytes, onFrame);
      const answer = out.take();
      if (answer !== undefined) socket.write(answer);
    };
  });
}
