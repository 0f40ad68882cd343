import { requestMetrics, type Load } from '#bench/measure.ts';
import { runRounds } from '#bench/rounds.ts';
import { createSamples } from '#bench/samples.ts';
import { requestColumns } from './columns.ts';
import type { Part } from './part.ts';

const messageBytes = 100;
const connections = 64;
const efforts = {
  quick: { rounds: 3, seconds: 1.5, warmUpSeconds: 2 },
  full: { rounds: 3, seconds: 4, warmUpSeconds: 8 },
} as const;

export const tcp: Part = {
  name: 'tcp',
  title: 'Bytes over TCP',
  about:
    `\`tcp-echo\`: messages of ${messageBytes} bytes that come back, one at a time on each of ${connections} connections. ` +
    "The proxies carry bytes and know the caller by its certificate alone; Envoy's `tcp_proxy`, nginx's stream module, " +
    "HAProxy's TCP mode.",
  scenarios: [{ name: 'tcp-echo', subjects: 'all' }],
  columns: requestColumns('message'),
  async run(bench) {
    const samples = createSamples();
    const { rounds, seconds, warmUpSeconds } = efforts[bench.effort];
    const load: Load = { work: { kind: 'echo', messageBytes }, connections, warmUpSeconds: 0.1, seconds };
    await runRounds(bench, samples, {
      protocol: 'tcp',
      warmUp: { ...load, seconds: warmUpSeconds },
      loads: { 'tcp-echo': load },
      rounds,
      metrics: requestMetrics,
    });
    return samples.findings();
  },
};
