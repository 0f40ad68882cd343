import { byteMetrics, type Load } from '#bench/measure.ts';
import { runRounds } from '#bench/rounds.ts';
import { createSamples } from '#bench/samples.ts';
import type { Part } from './part.ts';

const bytes = 100_000_000;
const efforts = {
  quick: { rounds: 2, seconds: 1.5, warmUpSeconds: 1 },
  full: { rounds: 3, seconds: 4, warmUpSeconds: 4 },
} as const;

export const bulk: Part = {
  name: 'bulk',
  title: 'Bulk',
  about:
    'A `GET` with an answer of 100 MB, again and again on each of N connections (`bulk-N`). MB are millions of bytes of ' +
    'body that arrived.',
  scenarios: ['bulk-1', 'bulk-8'].map((name) => ({ name, subjects: 'all' })),
  columns: [
    { metric: 'mb_per_s', title: 'MB/s', digits: 0, ratio: 'with-ratio' },
    { metric: 'cpu_us_per_mb', title: 'CPU µs per MB', digits: 0, ratio: 'with-ratio' },
    { metric: 'cpu_egress_us_per_mb', title: 'egress', digits: 0, ratio: 'alone' },
    { metric: 'cpu_ingress_us_per_mb', title: 'ingress', digits: 0, ratio: 'alone' },
  ],
  async run(bench) {
    const samples = createSamples();
    const { rounds, seconds, warmUpSeconds } = efforts[bench.effort];
    const loadOf = (connections: number): Load => {
      return { work: { kind: 'download', bytes }, connections, warmUpSeconds: 0.3, seconds };
    };
    await runRounds(bench, samples, {
      protocol: 'http',
      warmUp: { ...loadOf(1), seconds: warmUpSeconds },
      loads: { 'bulk-1': loadOf(1), 'bulk-8': loadOf(8) },
      rounds,
      metrics: byteMetrics,
    });
    return samples.findings();
  },
};
