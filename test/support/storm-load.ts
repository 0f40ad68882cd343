import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpCall } from '#policy/model.ts';
import type { Random } from '#runtime/clock.ts';
import { aborted } from '#runtime/drain.ts';
import { openStream } from './held-stream.ts';
import type { StormCall, StreamLife, Told } from './storm-model.ts';

/** A call, and where on loopback the caller's app makes it. */
export interface ReachableCall extends StormCall {
  readonly port: number;
}

export interface StormLoad {
  readonly answers: Told[];
  readonly lives: StreamLife[];
  /** Neither admitted nor refused, in words: must stay empty. */
  readonly failures: string[];
}

export interface RunningLoad {
  /** Resolves when everything in flight has come back. */
  stop(): Promise<StormLoad>;
}

const answerDeadlineMs = 20_000;
const openAgainMs = 50;
const echoEveryMs = 50;
const lineDeadlineMs = 20_000;

/** Makes calls at random, at a steady rate; and holds a stream of each opaque call open for as long as it may be. */
export function runStormLoad(
  calls: readonly ReachableCall[],
  { perSecond, random }: { readonly perSecond: number; readonly random: Random },
): RunningLoad {
  const load: StormLoad = { answers: [], lives: [], failures: [] };
  const stop = new AbortController();
  const ask = createAsker();
  const open = new Set<Promise<void>>();
  const asking = async (): Promise<void> => {
    const startedMs = performance.now();
    for (let count = 0; !stop.signal.aborted; await sleep(5)) {
      for (const due = ((performance.now() - startedMs) * perSecond) / 1000; count < due; count += 1) {
        const one: Promise<void> = askOne(calls, Math.floor(random() * calls.length), { ask, load }).finally(() =>
          open.delete(one),
        );
        open.add(one);
      }
    }
  };
  const holding = calls.map((each, index) => hold(each, index));
  async function hold({ port, call: { http } }: ReachableCall, call: number): Promise<void> {
    if (http !== undefined) return;
    while (!stop.signal.aborted) {
      const stream = await openStream('tcp', { tcp: port, http: 0, grpc: 0 }).catch(() => undefined);
      if (stream === undefined) {
        await sleep(openAgainMs);
        continue;
      }
      const openedMs = performance.now();
      const over = Promise.race([stream.ended, aborted(stop.signal)]);
      while (
        !stop.signal.aborted &&
        (await stream.echo().then(
          () => true,
          () => false,
        ))
      )
        await sleep(echoEveryMs);
      await over;
      const isCut = !stop.signal.aborted;
      load.lives.push({ call, openedMs, endedMs: isCut ? (await stream.ended).atMs : performance.now(), isCut });
      stream.close();
    }
  }
  const running = [asking(), ...holding];
  return {
    async stop() {
      stop.abort();
      await Promise.all(running);
      await Promise.all(open);
      ask.close();
      return load;
    },
  };
}

/** Each call once, one after the other: what it says now. */
export async function askEach(calls: readonly ReachableCall[]): Promise<StormLoad> {
  const load: StormLoad = { answers: [], lives: [], failures: [] };
  const ask = createAsker();
  for (const index of calls.keys()) await askOne(calls, index, { ask, load });
  ask.close();
  return load;
}

interface Asker {
  (call: HttpCall, port: number): Promise<boolean>;
  close(): void;
}

async function askOne(
  calls: readonly ReachableCall[],
  call: number,
  { ask, load }: { ask: Asker; load: StormLoad },
): Promise<void> {
  const { port, call: asked } = calls[call]!;
  const beganMs = performance.now();
  try {
    const isAllowed = asked.http === undefined ? await sayLine(port) : await ask(asked.http, port);
    load.answers.push({ call, beganMs, endedMs: performance.now(), isAllowed });
  } catch (error) {
    load.failures.push(`call ${call} at ${Math.round(beganMs)}: ${String(error)}`);
  }
}

/** Over connections that are kept. */
function createAsker(): Asker {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const ask = ({ method, path, host, header }: HttpCall, port: number): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const headers = { host, 'x-env': [...header('x-env')] };
      const sent = request({ host: '127.0.0.1', port, agent, method, path, headers }, (reply) => {
        let text = '';
        reply.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        reply.on('error', reject);
        reply.on('end', () => {
          const { statusCode = 0 } = reply;
          if (statusCode === 403 && reply.headers['x-eastwest-decision'] !== undefined) return resolve(false);
          if (statusCode !== 200) return reject(new Error(`${method} ${path}: ${statusCode} ${text.slice(0, 200)}`));
          if ((JSON.parse(text) as { url?: unknown }).url !== path) return reject(new Error('somebody else’s answer'));
          resolve(true);
        });
      });
      sent.setTimeout(answerDeadlineMs, () => sent.destroy(new Error('no answer')));
      sent.on('error', reject).end();
    });
  return Object.assign(ask, { close: () => agent.destroy() });
}

/** Whether a line is echoed. Who is not allowed to say it is cut, or, where the port might speak HTTP, told so in HTTP. */
function sayLine(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write('hello\n'));
    socket.setTimeout(lineDeadlineMs, () => {
      reject(new Error('neither an echo nor an end'));
      socket.destroy();
    });
    let heard = '';
    socket.setEncoding('latin1').on('data', (piece: string) => {
      heard += piece;
      if (heard === 'hello\n') socket.destroy();
    });
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      if (heard === 'hello\n') return resolve(true);
      if (heard === '' || heard.startsWith('HTTP/1.1 400 ')) return resolve(false);
      reject(new Error(`heard ${heard.slice(0, 200)}`));
    });
  });
}
