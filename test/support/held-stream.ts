import { Client, credentials } from '@grpc/grpc-js';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

/** How a stream ended. */
export interface StreamEnd {
  /** `performance.now()` */
  readonly atMs: number;
  /** As the client saw it, e.g. `1006` (WebSocket), `7 …` (gRPC), `closed` (TCP). */
  readonly how: string;
}

/** One long-lived stream through the mesh, which lives until somebody ends it. */
export interface HeldStream {
  /** Sends one message; resolves when it has come back, rejects when something else came or the stream ended. */
  echo(): Promise<void>;
  /** Resolves when it is over, whoever ended it. */
  readonly ended: Promise<StreamEnd>;
  close(): void;
}

export type StreamKind = 'webSocket' | 'grpc' | 'tcp';
/** Where each kind finds an app that echoes, on loopback. */
export interface StreamPorts {
  readonly http: number;
  readonly grpc: number;
  readonly tcp: number;
}

export const streamKinds = ['webSocket', 'grpc', 'tcp'] as const satisfies readonly StreamKind[];

const echoDeadlineMs = 20_000;
const admittedDeadlineMs = 30_000;

/** Opens a stream and has one message echoed: it is admitted. Rejects when it is not. */
export async function openStream(kind: StreamKind, ports: StreamPorts): Promise<HeldStream> {
  const stream = openers[kind](ports);
  try {
    await stream.echo();
    return stream;
  } catch (cause) {
    stream.close();
    throw new Error(`${kind} to ${JSON.stringify(ports)} at ${new Date().toISOString()}: ${String(cause)}`, { cause });
  }
}

/** Resolves when streams of every kind are admitted: callers hear where a workload is a moment after it is ready. */
export async function untilAdmitted(reached: readonly StreamPorts[]): Promise<void> {
  const untilMs = performance.now() + admittedDeadlineMs;
  for (const { kind, to } of reached.flatMap((each) => streamKinds.map((kind) => ({ kind, to: each })))) {
    for (;;) {
      const stream = await openStream(kind, to).catch((error: Error) => error);
      if (!(stream instanceof Error)) {
        stream.close();
        break;
      }
      if (performance.now() > untilMs) throw stream;
      await sleep(20);
    }
  }
}

const openers: Readonly<Record<StreamKind, (ports: StreamPorts) => HeldStream>> = {
  webSocket({ http }) {
    const socket = new WebSocket(`ws://127.0.0.1:${http}/held`);
    const opened = new Promise<void>((resolve) => socket.once('open', resolve));
    const held = heldStream((text) => void opened.then(() => socket.send(text)));
    socket.on('message', (data: Buffer) => held.heard(data.toString()));
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', (code) => held.over(`${code}`));
    return { ...held.stream, close: () => socket.terminate() };
  },
  grpc({ grpc }) {
    const asIs = (bytes: Buffer): Buffer => bytes;
    const client = new Client(`127.0.0.1:${grpc}`, credentials.createInsecure());
    const call = client.makeBidiStreamRequest('/echo.Echo/Talk', asIs, asIs);
    const held = heldStream((text) => void call.write(Buffer.from(text)));
    call.on('data', (message: Buffer) => held.heard(message.toString()));
    call.on('error', () => undefined); // 'status' tells
    call.on('status', ({ code, details }) => {
      held.over(`${code} ${details}`);
      client.close();
    });
    return { ...held.stream, close: () => call.cancel() };
  },
  tcp({ tcp }) {
    const socket = connect({ host: '127.0.0.1', port: tcp });
    const held = heldStream((text) => void socket.write(`${text}\n`));
    let rest = '';
    socket.setEncoding('latin1').on('data', (piece: string) => {
      const lines = (rest + piece).split('\n');
      rest = lines.pop() ?? '';
      lines.forEach((line) => held.heard(line));
    });
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => held.over('closed'));
    return { ...held.stream, close: () => socket.destroy() };
  },
};

/** One message on its way at a time: each must come back once, and nothing else. */
function heldStream(send: (text: string) => void) {
  const ended = Promise.withResolvers<StreamEnd>();
  let count = 0;
  let waiting: { readonly text: string; readonly settle: PromiseWithResolvers<void> } | undefined;
  let broken: string | undefined;
  const fail = (why: string): void => {
    broken ??= why;
    waiting?.settle.reject(new Error(why));
    waiting = undefined;
  };
  return {
    heard(text: string): void {
      if (text !== waiting?.text) return fail(`heard ${text} while waiting for ${waiting?.text ?? 'nothing'}`);
      waiting.settle.resolve();
      waiting = undefined;
    },
    over(how: string): void {
      ended.resolve({ atMs: performance.now(), how });
      fail(`ended: ${how}`);
    },
    stream: {
      ended: ended.promise,
      async echo(): Promise<void> {
        if (broken !== undefined) throw new Error(broken);
        const text = `${(count += 1)} ${'x'.repeat((count * 37) % 300)}`;
        const settle = Promise.withResolvers<void>();
        waiting = { text, settle };
        const late = new AbortController();
        sleep(echoDeadlineMs, undefined, { signal: late.signal }).then(
          () => fail('no echo'),
          () => undefined, // cut short: it came
        );
        send(text);
        await settle.promise.finally(() => late.abort());
      },
    },
  };
}

/** Streams that have something echoed every now and then, until `stop`. */
export interface KeptStreams {
  readonly echoes: () => number;
  /** Ends them; what went wrong before, which must be nothing. */
  stop(): Promise<readonly string[]>;
}

export function keepEchoing(
  streams: readonly { readonly name: string; readonly stream: HeldStream }[],
  everyMs: number,
): KeptStreams {
  const stop = new AbortController();
  const broken: string[] = [];
  let echoes = 0;
  const keep = async (name: string, stream: HeldStream, index: number): Promise<void> => {
    await sleep((everyMs * index) / streams.length);
    while (!stop.signal.aborted) {
      try {
        await stream.echo();
      } catch (error) {
        broken.push(`${name}: ${String(error)}`);
        break;
      }
      echoes += 1;
      await sleep(everyMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
    stream.close();
  };
  const running = streams.map(({ name, stream }, index) => keep(name, stream, index));
  return {
    echoes: () => echoes,
    async stop() {
      stop.abort();
      await Promise.all(running);
      return broken;
    },
  };
}
