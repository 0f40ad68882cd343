import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { ownEnvironment } from './agent-process.ts';
import { startAppProcess } from './app-process.ts';
import { measureLatency, type Latencies } from './latency.ts';
import { freePorts } from './mesh-process.ts';
import { figuresOf, type ProcessFigures } from './process-figures.ts';
import { startProcessPair, type ProcessPair } from './process-pair.ts';

export interface SlowStory {
  /** Of all kinds together: slow heads, slow bodies, slow readers, silent peers, stalled handshakes and windows. */
  readonly clients: number;
  /** They come within this time… */
  readonly rampMs: number;
  /** …and stay for this time; whoever is disconnected comes back. */
  readonly forMs: number;
  /** Requests of others, before and meanwhile. */
  readonly perSecond: number;
}

/** Per kind of client. */
type Told = Readonly<Record<string, { readonly opened: number; readonly ended: number; readonly answered: number }>>;

export interface SlowFigures {
  readonly before: Latencies;
  readonly meanwhile: Latencies;
  /** Of cart's agent and of prices'. */
  readonly figuresBefore: readonly ProcessFigures[];
  readonly peaks: readonly ProcessFigures[];
  readonly after: readonly ProcessFigures[];
  readonly told: Told;
}

const limits = { headTimeout: '5s', stallTimeout: '10s' };

/** Slow clients of both agents at once, and what other callers notice of them. */
export async function slowStory(story: SlowStory): Promise<SlowFigures> {
  await using stack = new AsyncDisposableStack();
  const [http, tcp] = (await freePorts(2)) as [number, number];
  stack.use(await startAppProcess('flood.mjs', { PORT: http, TCP_PORT: tcp }));
  const pair = stack.use(
    await startProcessPair({
      limits,
      ports: [
        { port: 7002, app: http, protocol: 'http' },
        { port: 7003, app: tcp, protocol: 'tcp' },
      ],
    }),
  );
  const httpPort = await pair.upstreamPort(7002);
  const look = (): ProcessFigures[] => [pair.cart, pair.prices].map(({ pid }) => figuresOf(pid));
  await measureLatency(httpPort, story.perSecond, 3_000); // warm-up
  const before = await measureLatency(httpPort, story.perSecond, Math.min(story.forMs, 15_000));
  const figuresBefore = look();
  const slow = stack.use(await startSlowClients(pair, story));
  await sleep(story.rampMs);
  const watching = new AbortController();
  const peaks = watchPeaks(look, watching.signal);
  const meanwhile = await measureLatency(httpPort, story.perSecond, story.forMs);
  watching.abort();
  const told = await slow.stop();
  await expect // whatever they held is let go of
    .poll(() => look().map(({ handles }, index) => handles - figuresBefore[index]!.handles < 60), { timeout: 20_000 })
    .toEqual([true, true]);
  const [statusOfCart] = await Promise.all([pair.cart.status(), pair.prices.status()]); // both still answer
  expect(statusOfCart.ready).toBe(true);
  expect([...pair.cart.notes, ...pair.prices.notes], 'what the agents wrote besides events').toEqual([]);
  return { before, meanwhile, figuresBefore, peaks: await peaks, after: look(), told };
}

/** The largest of each figure, looked at twice a second. */
async function watchPeaks(look: () => ProcessFigures[], signal: AbortSignal): Promise<readonly ProcessFigures[]> {
  let peaks = look();
  while (!signal.aborted) {
    peaks = look().map((now, index) => ({
      rssMb: Math.max(now.rssMb, peaks[index]!.rssMb),
      anonMb: Math.max(now.anonMb, peaks[index]!.anonMb),
      handles: Math.max(now.handles, peaks[index]!.handles),
    }));
    await sleep(500);
  }
  return peaks;
}

async function startSlowClients(
  pair: ProcessPair,
  { clients, rampMs }: SlowStory,
): Promise<AsyncDisposable & { stop(): Promise<Told> }> {
  const own = pair.ca.leaf('cart');
  const plan = {
    ...{ clients, rampMs, inboundPort: pair.inbound.port },
    ...{ httpPort: await pair.upstreamPort(7002), tcpPort: await pair.upstreamPort(7003) },
    ...{ cert: own.chainPem, key: own.keyPem, ca: pair.ca.bundlePem },
  };
  const child = spawn(process.execPath, [join(import.meta.dirname, 'apps', 'slow-clients.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: ownEnvironment(),
  });
  const exited = once(child, 'exit');
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stdin.write(`${JSON.stringify(plan)}\n`);
  return {
    async stop() {
      child.stdin.end();
      await exited;
      return JSON.parse(said) as Told;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
