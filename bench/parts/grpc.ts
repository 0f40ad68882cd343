import { requestMetrics, type Load } from '#bench/measure.ts';
import { runRounds } from '#bench/rounds.ts';
import { createSamples } from '#bench/samples.ts';
import { requestColumns } from './columns.ts';
import type { Part } from './part.ts';

const shape = { streams: 8, messageBytes: 100 } as const;
const connections = 8;
const efforts = {
  quick: { rounds: 2, seconds: 1.2, warmUpSeconds: 2 },
  full: { rounds: 3, seconds: 4, warmUpSeconds: 8 },
} as const;

export const grpc: Part = {
  name: 'grpc',
  title: 'gRPC',
  about:
    `HTTP/2 without TLS from the load generator and to the app, ${connections} connections with ${shape.streams} streams ` +
    `each; a message of ${shape.messageBytes} bytes is sent and comes back. \`grpc-unary\`: a call for each message; ` +
    '`grpc-stream`: one call on each stream for all of them, a message at a time.',
  scenarios: ['grpc-unary', 'grpc-stream'].map((name) => ({ name, subjects: 'all' })),
  columns: requestColumns('message'),
  async run(bench) {
    const samples = createSamples();
    const { rounds, seconds, warmUpSeconds } = efforts[bench.effort];
    const loadOf = (calls: 'unary' | 'streaming'): Load => {
      return { work: { kind: 'grpc', calls, ...shape }, connections, warmUpSeconds: 0.1, seconds };
    };
    await runRounds(bench, samples, {
      protocol: 'http2',
      warmUp: { ...loadOf('unary'), seconds: warmUpSeconds },
      loads: { 'grpc-unary': loadOf('unary'), 'grpc-stream': loadOf('streaming') },
      rounds,
      metrics: requestMetrics,
    });
    return samples.findings();
  },
};
