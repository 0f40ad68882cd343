import type { Load } from '#bench/measure.ts';
import { requestMetrics } from '#bench/measure.ts';
import { runRounds } from '#bench/rounds.ts';
import { createSamples } from '#bench/samples.ts';
import type { Part } from './part.ts';
import { requestColumns } from './columns.ts';

/** Scenario → what is sent. The last one comes first: it needs the pairs least warm. */
const requests = {
  'get-1': { connections: 1, bodyBytes: 0 },
  'get-16': { connections: 16, bodyBytes: 0 },
  'get-64': { connections: 64, bodyBytes: 0 },
  'get-256': { connections: 256, bodyBytes: 0 },
  'body-1k': { connections: 64, bodyBytes: 1024 },
  'body-64k': { connections: 16, bodyBytes: 64 * 1024 },
} as const;

const cold = 'get-64-cold';
const efforts = {
  quick: { rounds: 1, seconds: 1, coldSeconds: 1.5 },
  full: { rounds: 3, seconds: 3, coldSeconds: 5 },
} as const;

export const http: Part = {
  name: 'http',
  title: 'HTTP requests',
  about:
    'One request after the other on each connection, as fast as they are answered: load generator → egress → mTLS → ' +
    'ingress → app. `get-N`: a `GET` with a 12-byte answer on N connections; `body-1k` (64 connections) and `body-64k` ' +
    '(16 connections): a `POST` whose answer is as long as its body. CPU is user and system time of all threads in ' +
    'microseconds per request, of both proxies; load generator and app (`harness`) share the same cores. ' +
    `\`${cold}\`: the first ${efforts.quick.coldSeconds} s (without \`--quick\` ${efforts.full.coldSeconds} s) after the ` +
    'start, which are the warm-up for all else.',
  scenarios: [...Object.keys(requests), cold].map((name) => ({ name, subjects: 'all' })),
  columns: requestColumns('request'),
  async run(bench) {
    const samples = createSamples();
    const { rounds, seconds, coldSeconds } = efforts[bench.effort];
    const loadOf = ({ connections, bodyBytes }: (typeof requests)[keyof typeof requests]): Load => {
      return { work: { kind: 'http', bodyBytes }, connections, warmUpSeconds: 0.2, seconds };
    };
    const scenarios = Object.entries(requests).toReversed();
    await runRounds(bench, samples, {
      protocol: 'http',
      warmUp: { ...loadOf(requests['get-64']), scenario: cold, warmUpSeconds: 0, seconds: coldSeconds },
      loads: Object.fromEntries(scenarios.map(([name, request]) => [name, loadOf(request)])),
      rounds,
      metrics: requestMetrics,
    });
    return samples.findings();
  },
};
