import { startLoader, type Loader } from '#bench/load/loader.ts';
import { measure, requestMetrics, type Load } from '#bench/measure.ts';
import type { Pair } from '#bench/pair.ts';
import { createSamples, type Samples } from '#bench/samples.ts';
import { missed, startAll, type Standing } from '#bench/standing.ts';
import { requestColumns } from './columns.ts';
import type { Bench, Part } from './part.ts';

const connections = 64;
/** Whose maximum sets the pace; the slowest of those measured when it is missing. */
const pacemaker = 'envoy';
const efforts = {
  quick: { maximumSeconds: 1.5, warmUpSeconds: 10, seconds: 15 },
  full: { maximumSeconds: 5, warmUpSeconds: 20, seconds: 60 },
} as const;
/** Others would not fit into 50 s. */
const quickSubjects: readonly string[] = ['eastwest', pacemaker];

export const tail: Part = {
  name: 'tail',
  title: 'Latency at a fixed rate',
  about:
    `\`fixed-rate\`: small GETs over ${connections} connections, started at fixed times by a thread that waits for no ` +
    `answer, at half of what Envoy does at most on this machine; a latency counts from when its request should have ` +
    'started, so a stall is seen by all whom it would have delayed. 60 s after 20 s of warm-up; with `--quick` 15 s ' +
    'after 10 s, Eastwest and Envoy only, which are warmed up together.',
  scenarios: [{ name: 'fixed-rate', subjects: 'all' }],
  columns: [
    ...requestColumns('request').filter(({ metric }) => metric !== 'instructions_per_request'),
    { metric: 'p999_ms', title: 'p99.9 ms', digits: 3, ratio: 'with-ratio' },
  ],
  run,
};

async function run(bench: Bench) {
  await using stack = new AsyncDisposableStack();
  const samples = createSamples();
  const loader = stack.use(startLoader(bench.signal));
  const subjects = bench.subjects.filter(({ name }) => bench.effort === 'full' || quickSubjects.includes(name));
  for (const { name } of bench.subjects.filter((each) => !subjects.includes(each))) {
    samples.miss({ subject: name, why: 'left out by --quick' });
  }
  const standing = await startAll('http', { ...bench, subjects }, { samples, stack });
  const by = { loader, app: standing.app };
  const perSecond = Math.floor((await maximumOf(standing, by, bench)) / 2 / 100) * 100;
  bench.progress(`${perSecond} requests/s`);
  const { warmUpSeconds, seconds } = efforts[bench.effort];
  const load: Load = { work: { kind: 'fixed-rate', perSecond }, connections, warmUpSeconds: 0.1, seconds };
  const warmUp = async (pair: Pair): Promise<void> => {
    await measure(pair, { ...load, seconds: warmUpSeconds }, by).catch(() => undefined); // is told when it counts
  };
  if (bench.effort === 'quick') await Promise.all(standing.pairs.map(warmUp));
  for (const pair of standing.pairs) {
    bench.progress(`${pair.subject}`);
    if (bench.effort === 'full') await warmUp(pair);
    await measureTail(pair, load, { bench, samples, by });
  }
  return samples.findings();
}

type By = { readonly loader: Loader; readonly app: Standing['app'] };

async function measureTail(
  pair: Pair,
  load: Load,
  { bench, samples, by }: { bench: Bench; samples: Samples; by: By },
): Promise<void> {
  try {
    samples.add('fixed-rate', pair.subject, requestMetrics(await measure(pair, load, by)));
  } catch (error) {
    bench.signal.throwIfAborted();
    missed(bench, samples, { subject: pair.subject, scenario: 'fixed-rate', error });
  }
}

/** Requests per second of the pacemaker, as fast as it can. */
async function maximumOf({ pairs }: Standing, by: By, { effort }: Bench): Promise<number> {
  const work = { kind: 'http', bodyBytes: 0 } as const;
  const load: Load = { work, connections, warmUpSeconds: 1, seconds: efforts[effort].maximumSeconds };
  const known = pairs.filter(({ subject }) => subject === pacemaker);
  const rates: number[] = [];
  for (const pair of known.length > 0 ? known : pairs) {
    const { result } = await measure(pair, load, by);
    rates.push(result.count / result.seconds);
  }
  return Math.min(...rates);
}
