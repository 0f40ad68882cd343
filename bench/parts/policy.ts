import { measureDecisions, stageDecisions } from '#bench/decisions.ts';
import { requestMetrics, type Load } from '#bench/measure.ts';
import { runRounds } from '#bench/rounds.ts';
import { createSamples, type Samples } from '#bench/samples.ts';
import { eastwestOff } from '#bench/subjects/eastwest-off.ts';
import { eastwest } from '#bench/subjects/eastwest.ts';
import { requestColumns } from './columns.ts';
import type { Bench, Part } from './part.ts';

const efforts = {
  quick: { rounds: 5, seconds: 1.5, warmUpSeconds: 4, decideMs: 300 },
  full: { rounds: 9, seconds: 4, warmUpSeconds: 15, decideMs: 1_000 },
} as const;

export const policy: Part = {
  name: 'policy',
  title: 'What policy and identity headers cost',
  about:
    '`policy-64`: small GETs on 64 connections through the pair as it is, and through one whose ingress was assembled for ' +
    'the bench without permit and identity headers (`eastwest-off`). `rules-10`, `rules-10000`: decisions alone, by that ' +
    'many rules, ten for each caller, about up to 1,000 routes, half of them with templates; three of four calls are admitted.',
  scenarios: [
    { name: 'policy-64', subjects: 'eastwest' },
    { name: 'rules-10', subjects: 'eastwest' },
    { name: 'rules-10000', subjects: 'eastwest' },
  ],
  columns: [
    ...requestColumns('request').map((column) => ({ ...column, ratio: 'alone' }) as const),
    { metric: 'decide_p50_us', title: 'decision p50 µs', digits: 2, ratio: 'alone' },
  ],
  async run(bench) {
    const samples = createSamples();
    decisions(bench, samples);
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

/** In turns, as everything else. */
function decisions(bench: Bench, samples: Samples): void {
  const { rounds, decideMs } = efforts[bench.effort];
  const stages = [10, 10_000].map((count) => ({ scenario: `rules-${count}`, stage: stageDecisions(count) }));
  bench.progress('decisions');
  for (const { stage } of stages) measureDecisions(stage, decideMs); // compiles
  for (let round = 1; round <= rounds; round += 1) {
    for (const { scenario, stage } of stages) {
      samples.add(scenario, eastwest.name, { decide_p50_us: measureDecisions(stage, decideMs) });
    }
  }
}
