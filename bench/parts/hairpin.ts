import { startApp } from '#bench/app.ts';
import { startHairpin, type HairpinAgents } from '#bench/hairpin-agents.ts';
import { startLoader, type Loader } from '#bench/load/loader.ts';
import { bytesWritten, openSockets } from '#bench/proc.ts';
import { freePort, type Running } from '#bench/running.ts';
import { createSamples } from '#bench/samples.ts';
import { systemClock } from '#runtime/system-clock.ts';
import type { Bench, Findings, Part } from './part.ts';

const efforts = {
  quick: { rounds: 3, seconds: 1.2, warmUpSeconds: 3.5 },
  full: { rounds: 7, seconds: 4, warmUpSeconds: 15 },
} as const;
const connections = { 'hairpin-1': 1, 'hairpin-64': 64 } as const;
const ways = ['agents', 'gateway'] as const;
/** As figures name them. */
const subjectOf = { agents: 'eastwest', gateway: 'eastwest-gateway' } as const;

export const hairpin: Part = {
  name: 'hairpin',
  title: 'What it costs to go through the gateway',
  about:
    'Small GETs of `cart` to `prices`: by their two agents (`eastwest`), and out to the gateway and back in ' +
    '(`eastwest-gateway`): agent of `cart` → mTLS → agent that is the gateway → mTLS → agent of `prices`. The same agents of ' +
    '`cart` and `prices` for both ways. CPU is that of all agents on the way; bytes are those that they write for a ' +
    'request and its answer, encrypted or not; sockets are those that fresh agents open for 64 callers.',
  scenarios: Object.keys(connections).map((name) => ({ name, subjects: 'eastwest' })),
  columns: [
    { metric: 'cpu_us_per_request', title: 'CPU µs per request', digits: 1, ratio: 'alone' },
    { metric: 'requests_per_s', title: 'requests/s', digits: 0, ratio: 'alone' },
    { metric: 'p50_ms', title: 'p50 ms', digits: 3, ratio: 'alone' },
    { metric: 'p99_ms', title: 'p99 ms', digits: 3, ratio: 'alone' },
    { metric: 'bytes_per_request', title: 'bytes per request', digits: 0, ratio: 'alone' },
    { metric: 'sockets', title: 'sockets', digits: 0, ratio: 'alone' },
  ],
  run,
};

const get = { kind: 'http', bodyBytes: 0, warmUpSeconds: 0.3 } as const;

async function run(bench: Bench): Promise<Findings> {
  await using stack = new AsyncDisposableStack();
  const loader = stack.use(startLoader(bench.signal));
  const appPort = await freePort();
  const app = stack.use(await startApp('http', appPort, bench));
  const samples = createSamples();
  for (const way of ways) {
    samples.add('hairpin-64', subjectOf[way], { sockets: await socketsOf(way, appPort, { bench, loader }) });
  }
  const agents = stack.use(await startHairpin(appPort, bench));
  const { rounds, seconds, warmUpSeconds } = efforts[bench.effort];
  bench.progress('warming up');
  for (const way of ways) await measure(way, { connections: 64, seconds: warmUpSeconds }, { loader, app, agents });
  for (const [scenario, count] of Object.entries(connections)) {
    for (let round = 1; round <= rounds; round += 1) {
      bench.progress(`${scenario}: round ${round} of ${rounds}`);
      for (const way of ways) {
        const metrics = await measure(way, { connections: count, seconds }, { loader, app, agents });
        samples.add(scenario, subjectOf[way], metrics);
      }
    }
  }
  return samples.findings();
}

async function measure(
  way: (typeof ways)[number],
  load: { readonly connections: number; readonly seconds: number },
  { loader, app, agents }: { readonly loader: Loader; readonly app: Running; readonly agents: HairpinAgents },
): Promise<Record<string, number>> {
  const { egress, gateway, ingress, ports } = agents;
  const pids = [egress, ingress, ...(way === 'gateway' ? [gateway] : [])].map(({ pid }) => pid);
  const written = (): number => pids.reduce((sum, pid) => sum + bytesWritten(pid), 0);
  const before = written();
  const result = await loader.run({ ...get, ...load, port: ports[way], watch: [...pids, app.pid] });
  const cpuUs = result.watchedCpuUs.slice(0, pids.length).reduce((sum, each) => sum + each, 0);
  return {
    cpu_us_per_request: cpuUs / result.count,
    requests_per_s: result.count / result.seconds,
    p50_ms: result.p50Ms,
    p99_ms: result.p99Ms,
    bytes_per_request: (written() - before) / result.countWithWarmUp,
  };
}

/** In the middle of a load, of agents that carried nothing before. */
async function socketsOf(
  way: (typeof ways)[number],
  appPort: number,
  { bench, loader }: { readonly bench: Bench; readonly loader: Loader },
): Promise<number> {
  await using agents = await startHairpin(appPort, bench);
  const pids = [agents.egress, agents.gateway, agents.ingress].map(({ pid }) => pid);
  const held = (): number => pids.reduce((sum, pid) => sum + openSockets(pid), 0);
  const before = held();
  const running = loader.run({ ...get, connections: 64, seconds: 1, port: agents.ports[way], watch: [] });
  const midway = systemClock.sleep(800).then(held);
  await running;
  return (await midway) - before;
}
