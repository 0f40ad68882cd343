import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { measureLatency, type Latencies } from './latency.ts';
import { figuresOf, type ProcessFigures } from './process-figures.ts';
import { startProcessPair, type ProcessPair } from './process-pair.ts';
import { createPemFolder } from './programs.ts';

export interface SlowStory {
  /** Of all kinds together: slow heads, slow bodies, slow readers, silent peers, stalled handshakes and windows. */
  readonly clients: number;
  /** They come within this time… */
  readonly rampMs: number;
  /** …and stay for this time; whoever is disconnected comes back after `returnMs`. */
  readonly forMs: number;
  readonly returnMs: number;
  /** `limits` of both agents. */
  readonly limits: object;
  /** Requests of others, before and meanwhile. */
  readonly perSecond: number;
  /** That each agent's anonymous memory may grow by, in MB. */
  readonly mostGrowthMb: number;
}

/** Per kind of client. */
type Told = Readonly<Record<string, { readonly opened: number; readonly ended: number }>>;

export interface SlowFigures {
  readonly before: Latencies;
  readonly meanwhile: Latencies;
  /** Of requests to the app past the agents at the same time: what the machine itself has to do with it. */
  readonly direct: Latencies;
  /** Of cart's agent and of prices'. */
  readonly figuresBefore: readonly ProcessFigures[];
  readonly peaks: readonly ProcessFigures[];
  readonly after: readonly ProcessFigures[];
  readonly told: Told;
}

/** A p99 below this is not worth a word. */
const noiseMs = 20;

/** Slow clients of both agents at once, and what other callers notice of them. */
export async function slowStory(story: SlowStory): Promise<SlowFigures> {
  await using stack = new AsyncDisposableStack();
  const app = stack.use(await startFlood());
  const pair = stack.use(
    await startProcessPair({
      limits: story.limits,
      ports: [
        { port: 7002, app: app.http, protocol: 'http' },
        { port: 7003, app: app.tcp, protocol: 'tcp' },
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
  const [meanwhile, direct] = await Promise.all([
    measureLatency(httpPort, story.perSecond, story.forMs),
    measureLatency(app.http, story.perSecond, story.forMs),
  ]);
  watching.abort();
  const told = await slow.stop();
  await expect // whatever they held is let go of
    .poll(() => look().map(({ handles }, index) => handles - figuresBefore[index]!.handles < 60), { timeout: 20_000 })
    .toEqual([true, true]);
  const [statusOfCart] = await Promise.all([pair.cart.status(), pair.prices.status()]); // both still answer
  expect(statusOfCart.ready).toBe(true);
  expect([...pair.cart.notes, ...pair.prices.notes], 'what the agents wrote besides events').toEqual([]);
  return { before, meanwhile, direct, figuresBefore, peaks: await peaks, after: look(), told };
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

function startPython(file: string): ChildProcessByStdio<Writable, Readable, null> {
  const script = join(import.meta.dirname, 'apps', file);
  return spawn('python3', [script], { stdio: ['pipe', 'pipe', 'inherit'] });
}

async function startFlood(): Promise<AsyncDisposable & { readonly http: number; readonly tcp: number }> {
  const child = startPython('flood.py');
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const ports = JSON.parse(line) as { readonly http: number; readonly tcp: number };
  return { ...ports, [Symbol.asyncDispose]: () => endOf(child) };
}

async function startSlowClients(
  pair: ProcessPair,
  { clients, rampMs, returnMs }: SlowStory,
): Promise<AsyncDisposable & { stop(): Promise<Told> }> {
  const pem = createPemFolder();
  const [, cert, , key, , ca] = pem.curl(pair.ca.leaf('cart'), pair.ca);
  const plan = {
    ...{ clients, rampMs, returnMs, cert, key, ca, inboundPort: pair.inbound.port },
    ...{ httpPort: await pair.upstreamPort(7002), tcpPort: await pair.upstreamPort(7003) },
  };
  const child = startPython('slow_clients.py');
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stdin.write(`${JSON.stringify(plan)}\n`);
  return {
    async stop() {
      const exited = once(child, 'close');
      child.stdin.end();
      await exited;
      return JSON.parse(said) as Told;
    },
    async [Symbol.asyncDispose]() {
      await endOf(child);
      pem[Symbol.dispose]();
    },
  };
}

async function endOf(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Nobody else failed or waited twice as long, memory stayed below its ceilings, and deadlines did what they are for. */
export function expectUnmoved(figures: SlowFigures, { clients, mostGrowthMb }: SlowStory): void {
  const { before, meanwhile, direct, figuresBefore, peaks, told } = figures;
  expect(meanwhile.failures).toEqual([]);
  // On a small machine the slow clients and the app they keep busy cost everybody time: that is not the agents'.
  expect(meanwhile.p99Ms, `p99: ${before.p99Ms} ms before, ${direct.p99Ms} ms past the agents`).toBeLessThan(
    2 * (before.p99Ms + direct.p99Ms) + noiseMs,
  );
  for (const [index, { anonMb, handles }] of peaks.entries()) {
    expect(anonMb - figuresBefore[index]!.anonMb, 'growth of anonymous memory').toBeLessThan(mostGrowthMb);
    expect(handles).toBeLessThan(15 * clients);
  }
  const cutOff = ['slow head', 'stalled handshake', 'silent peer', 'slow head of a peer'];
  for (const kind of cutOff) expect(told[kind]?.ended, kind).toBeGreaterThan(0);
}
