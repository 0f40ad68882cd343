import { systemClock } from '#runtime/system-clock.ts';
import { startControlPlane } from '#bench/control-plane.ts';
import { issueOne, joinAs, type Caller } from '#bench/join-as.ts';
import type { Bench, Findings, Part } from './part.ts';
import { cpuMicroseconds, memoryOf } from '#bench/proc.ts';
import { createSamples } from '#bench/samples.ts';
import { percentile } from '#bench/statistics.ts';

const efforts = { quick: { rounds: 3, ms: 4_000 }, full: { rounds: 5, ms: 8_000 } } as const;
const warmUpMs = 3_000;
const workloads = 32;
const callsInFlight = 2;

export const issue: Part = {
  name: 'issue',
  title: 'Certificates issued',
  about:
    `\`renew\`: ${workloads} workloads, each with a TLS connection of its own and ${callsInFlight} calls in flight, renew ` +
    'by their current SVID as fast as they are answered, through everything that a renewal passes: TLS with client ' +
    'certificate, gRPC, verification, proof of possession, signature, check before release, the record in the store and in the audit ' +
    'log on disk, the log line. The control plane is one process; CPU is that of all its threads, so certificates per ' +
    'CPU second is what one core can do, while the callers share the cores with it. Rate limits are set out of the way; ' +
    'callers send the same CSR again. Aim: over 1,500 on one core.',
  scenarios: [{ name: 'renew', subjects: 'eastwest' }],
  columns: [
    { metric: 'ops_per_s', title: 'certificates/s', digits: 0, ratio: 'alone' },
    { metric: 'cpu_us_per_op', title: 'CPU µs per certificate', digits: 0, ratio: 'alone' },
    { metric: 'ops_per_cpu_s', title: 'certificates per CPU second', digits: 0, ratio: 'alone' },
    { metric: 'p50_ms', title: 'p50 ms', digits: 1, ratio: 'alone' },
    { metric: 'p99_ms', title: 'p99 ms', digits: 1, ratio: 'alone' },
    { metric: 'rss_mb', title: 'resident MiB', digits: 0, ratio: 'alone' },
    { metric: 'rss_anon_mb', title: 'anonymous MiB', digits: 0, ratio: 'alone' },
  ],
  run,
};

async function run(bench: Bench): Promise<Findings> {
  await using stack = new AsyncDisposableStack();
  const controlPlane = stack.use(await startControlPlane(bench.identities, bench));
  const callers: Caller[] = [];
  for (let index = 0; index < workloads; index += 1) {
    const caller = await joinAs(`workload-${index}`, controlPlane, bench);
    stack.defer(() => caller.client.close());
    callers.push(caller);
  }
  bench.progress('warming up');
  await renewFor(warmUpMs, callers, bench.signal);
  const samples = createSamples();
  const { rounds, ms } = efforts[bench.effort];
  for (let round = 1; round <= rounds; round += 1) {
    bench.progress(`round ${round} of ${rounds}`);
    const { pid } = controlPlane.running;
    const [startedMs, cpuBefore] = [systemClock.monotonic(), cpuMicroseconds(pid)];
    const latencies = await renewFor(ms, callers, bench.signal);
    const [tookMs, cpuUs] = [systemClock.monotonic() - startedMs, cpuMicroseconds(pid) - cpuBefore];
    const { rssMb, rssAnonMb } = memoryOf(pid);
    samples.add('renew', 'eastwest', {
      ops_per_s: (latencies.length / tookMs) * 1000,
      cpu_us_per_op: cpuUs / latencies.length,
      ops_per_cpu_s: latencies.length / (cpuUs / 1_000_000),
      p50_ms: percentile(latencies, 0.5),
      p99_ms: percentile(latencies, 0.99),
      rss_mb: rssMb,
      rss_anon_mb: rssAnonMb,
    });
  }
  return samples.findings();
}

/** How long each call took, in milliseconds. Throws when one was refused: then no figure counts. */
async function renewFor(ms: number, callers: readonly Caller[], signal: AbortSignal): Promise<readonly number[]> {
  const untilMs = systemClock.monotonic() + ms;
  const latencies: number[] = [];
  const line = async ({ client, csr }: Caller): Promise<void> => {
    for (let atMs = systemClock.monotonic(); atMs < untilMs;) {
      await issueOne(client, csr, { kind: 'current-svid' }, signal);
      const doneMs = systemClock.monotonic();
      latencies.push(doneMs - atMs);
      atMs = doneMs;
    }
  };
  await Promise.all(callers.flatMap((caller) => Array.from({ length: callsInFlight }, () => line(caller))));
  return latencies;
}
