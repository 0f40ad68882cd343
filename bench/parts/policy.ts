import { requestMetrics, type Load } from '#bench/measure.ts';
import { runRounds } from '#bench/rounds.ts';
import { createSamples } from '#bench/samples.ts';
import { eastwestOff } from '#bench/subjects/eastwest-off.ts';
import { eastwest } from '#bench/subjects/eastwest.ts';
import { requestColumns } from './columns.ts';
import type { Part } from './part.ts';

const efforts = {
  quick: { rounds: 5, seconds: 1.5, warmUpSeconds: 4 },
  full: { rounds: 9, seconds: 4, warmUpSeconds: 15 },
} as const;

export const policy: Part = {
  name: 'policy',
  title: 'What policy and identity headers cost',
  about:
    '`policy-64`: small GETs on 64 connections through the pair as it is, and through one whose ingress was assembled for ' +
    'the bench without permit and identity headers (`eastwest-off`).',
  scenarios: [{ name: 'policy-64', subjects: 'eastwest' }],
  columns: requestColumns('request').map((column) => ({ ...column, ratio: 'alone' })),
  async run(bench) {
    const samples = createSamples();
    const { rounds, seconds, warmUpSeconds } = efforts[bench.effort];
    const load: Load = { work: { kind: 'http', bodyBytes: 0 }, connections: 64, warmUpSeconds: 0.2, seconds };
    await runRounds({ ...bench, subjects: [eastwest, eastwestOff] }, samples, {
      protocol: 'http',
      warmUp: { ...load, seconds: warmUpSeconds },
      loads: { 'policy-64': load },
      rounds,
      metrics: requestMetrics,
    });
    return samples.findings();
  },
};
