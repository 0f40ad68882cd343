import { startApp } from './app.ts';
import { checkDuties } from './duties.ts';
import { loadGenerator, runLoad } from './load.ts';
import { startPair, type Pair } from './pair.ts';
import type { Bench, Figure, Part } from './part.ts';
import { cpuMicroseconds } from './proc.ts';
import { freePort } from './running.ts';
import { createSamples } from './samples.ts';

/** Scenario → connections. */
const scenarios = { 'get-1': 1, 'get-64': 64 } as const;

/** Node compiles what is used much in its first seconds: measured as well, and apart. */
const cold = { scenario: 'get-64-cold', connections: 64, seconds: 3 } as const;
const efforts = { quick: { rounds: 2, seconds: 2 }, full: { rounds: 5, seconds: 5 } } as const;

export const http: Part = {
  name: 'http',
  title: 'Small requests',
  about:
    'One `GET` with a 12-byte answer after the other on each of 1 or 64 connections (`get-1`, `get-64`), as fast as they ' +
    'are answered: load generator → egress → mTLS → ingress → app. CPU is user and system time of all threads in ' +
    `microseconds per request; the load generator and the app share the same cores. \`${cold.scenario}\`: the first ` +
    `${cold.seconds} s after the start, which are the warm-up for all else.`,
  scenarios: [...Object.keys(scenarios), cold.scenario].map((name) => ({ name, subjects: 'all' })),
  columns: [
    { metric: 'cpu_us_per_request', title: 'CPU µs per request', digits: 1, ratio: 'with-ratio' },
    { metric: 'cpu_egress_us_per_request', title: 'egress', digits: 1, ratio: 'alone' },
    { metric: 'cpu_ingress_us_per_request', title: 'ingress', digits: 1, ratio: 'alone' },
    { metric: 'requests_per_s', title: 'requests/s', digits: 0, ratio: 'with-ratio' },
    { metric: 'p50_ms', title: 'p50 ms', digits: 3, ratio: 'with-ratio' },
    { metric: 'p99_ms', title: 'p99 ms', digits: 3, ratio: 'with-ratio' },
  ],
  needs: [loadGenerator],
  run,
};

async function run(bench: Bench): Promise<readonly Figure[]> {
  await using stack = new AsyncDisposableStack();
  const app = stack.use(await startApp(bench.workDir, await freePort(), bench));
  bench.progress(`the app is ${app.program}`);
  const pairs: Pair[] = [];
  for (const subject of bench.subjects) {
    const pair = stack.use(await startPair(subject, { ...bench, appPort: app.port }));
    await checkDuties(pair);
    pairs.push(pair);
  }
  const samples = createSamples();
  for (const pair of pairs) {
    bench.progress(`${cold.scenario} ${pair.subject}`);
    samples.add(cold.scenario, pair.subject, await measure(pair, cold, bench.signal));
  }
  const { rounds, seconds } = efforts[bench.effort];
  for (const [scenario, connections] of Object.entries(scenarios)) {
    for (let round = 1; round <= rounds; round += 1) {
      for (const pair of pairs) {
        bench.progress(`${scenario} ${pair.subject}: round ${round} of ${rounds}`);
        samples.add(scenario, pair.subject, await measure(pair, { connections, seconds }, bench.signal));
      }
    }
  }
  return samples.figures();
}

async function measure(
  { egress, ingress, url }: Pair,
  load: { readonly connections: number; readonly seconds: number },
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const before = { egress: cpuMicroseconds(egress.pid), ingress: cpuMicroseconds(ingress.pid) };
  const { requests, seconds, p50Ms, p99Ms, p999Ms } = await runLoad({ ...load, url }, signal);
  const egressUs = (cpuMicroseconds(egress.pid) - before.egress) / requests;
  const ingressUs = (cpuMicroseconds(ingress.pid) - before.ingress) / requests;
  return {
    cpu_us_per_request: egressUs + ingressUs,
    cpu_egress_us_per_request: egressUs,
    cpu_ingress_us_per_request: ingressUs,
    requests_per_s: requests / seconds,
    p50_ms: p50Ms,
    p99_ms: p99Ms,
    p999_ms: p999Ms,
  };
}
