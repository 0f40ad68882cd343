import { connectionMetrics, type Load } from '#bench/measure.ts';
import { runRounds } from '#bench/rounds.ts';
import { createSamples } from '#bench/samples.ts';
import type { Part } from './part.ts';

const atOnce = 16;
const efforts = {
  quick: { rounds: 3, seconds: 1.5, warmUpSeconds: 2 },
  full: { rounds: 3, seconds: 4, warmUpSeconds: 8 },
} as const;

export const connections: Part = {
  name: 'connections',
  title: 'New connections',
  about:
    `\`connect\`: the app's client opens a connection, sends one \`GET\` with \`Connection: close\`, reads the answer and ` +
    `sees the connection end; ${atOnce} at once. The load generator itself needs about 70 µs for each.`,
  scenarios: [{ name: 'connect', subjects: 'all' }],
  columns: [
    { metric: 'ops_per_s', title: 'connections/s', digits: 0, ratio: 'with-ratio' },
    { metric: 'cpu_us_per_op', title: 'CPU µs per connection', digits: 0, ratio: 'with-ratio' },
    { metric: 'cpu_egress_us_per_op', title: 'egress', digits: 0, ratio: 'alone' },
    { metric: 'cpu_ingress_us_per_op', title: 'ingress', digits: 0, ratio: 'alone' },
    { metric: 'p50_ms', title: 'p50 ms', digits: 2, ratio: 'alone' },
    { metric: 'p99_ms', title: 'p99 ms', digits: 2, ratio: 'alone' },
  ],
  async run(bench) {
    const samples = createSamples();
    const { rounds, seconds, warmUpSeconds } = efforts[bench.effort];
    const load: Load = { work: { kind: 'connect' }, connections: atOnce, warmUpSeconds: 0.1, seconds };
    await runRounds(bench, samples, {
      protocol: 'http',
      warmUp: { ...load, seconds: warmUpSeconds },
      loads: { connect: load },
      rounds,
      metrics: connectionMetrics,
    });
    return samples.findings();
  },
};
