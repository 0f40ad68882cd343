import { createSamples } from '#bench/samples.ts';
import { eastwest } from '#bench/subjects/eastwest.ts';
import { measureWork, stageTokens } from '#bench/token-checks.ts';
import { stageExchanges } from '#bench/token-exchanges.ts';
import type { Part } from './part.ts';

const efforts = {
  quick: { rounds: 5, ms: 1_000, warmUpMs: 1_500 },
  full: { rounds: 9, ms: 3_000, warmUpMs: 5_000 },
} as const;

export const tokens: Part = {
  name: 'tokens',
  title: 'Tokens checked and signed',
  about:
    'In one process, one thread of ours: ES256 access tokens of about 650 bytes, bound to a certificate, 2,000 different ones. ' +
    '`verify-miss`: strict reading, signature, claims and presenter, beside `jose.jwtVerify` with issuer, audience, type and ' +
    'times, 16 in flight. `verify-hit`: the same token again, its verdict remembered. `mint`: claims checked, then signed by ' +
    '`jose`, 16 in flight. CPU is that of all threads of the process. `exchange-grpc`: one workload exchanges 2,000 tokens that it ' +
    'was sent, over its connection to a control plane in a process of its own, whose CPU that is; the caller shares the cores. Aims: a miss costs no more CPU than `jose`; over 150,000 hits/s; 3,000 exchanges/s on one core.',
  scenarios: [
    { name: 'verify-miss', subjects: 'eastwest' },
    { name: 'verify-hit', subjects: 'eastwest' },
    { name: 'mint', subjects: 'eastwest' },
    { name: 'exchange-grpc', subjects: 'eastwest' },
  ],
  columns: [
    { metric: 'ops_per_s', title: 'tokens/s', digits: 0, ratio: 'alone' },
    { metric: 'cpu_us_per_op', title: 'CPU µs per token', digits: 2, ratio: 'alone' },
  ],
  async run(bench) {
    await using exchanges = await stageExchanges(bench);
    const stage = await stageTokens();
    const works = [
      { scenario: 'verify-miss', subject: eastwest.name, work: stage.miss },
      { scenario: 'verify-miss', subject: 'jose', work: stage.jose },
      { scenario: 'verify-hit', subject: eastwest.name, work: stage.hit },
      { scenario: 'mint', subject: eastwest.name, work: stage.mint },
    ];
    const { rounds, ms, warmUpMs } = efforts[bench.effort];
    bench.progress('warming up');
    for (const { work } of works) await measureWork(work, warmUpMs);
    await exchanges.measure(warmUpMs);
    const samples = createSamples();
    for (let round = 1; round <= rounds; round += 1) {
      bench.progress(`round ${round} of ${rounds}`);
      for (const { scenario, subject, work } of works) {
        bench.signal.throwIfAborted();
        samples.add(scenario, subject, { ...(await measureWork(work, ms)) });
      }
      samples.add('exchange-grpc', eastwest.name, { ...(await exchanges.measure(ms)) });
    }
    return samples.findings();
  },
};
