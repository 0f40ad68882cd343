import { systemClock } from '#runtime/system-clock.ts';
import { startApp } from '#bench/app.ts';
import { emptyCompileCache, filledCompileCache } from '#bench/compile-cache.ts';
import { eastwestOn, startControlPlane } from '#bench/control-plane.ts';
import { startLoader, type Loader } from '#bench/load/loader.ts';
import { startPair, uncalled, type Pair } from '#bench/pair.ts';
import { memoryOf } from '#bench/proc.ts';
import { freePort } from '#bench/running.ts';
import { createSamples, type Samples } from '#bench/samples.ts';
import { missed } from '#bench/standing.ts';
import { eastwest } from '#bench/subjects/eastwest.ts';
import type { Subject } from '#bench/subjects/subject.ts';
import type { Bench, Part } from './part.ts';

const rounds = { quick: 1, full: 3 } as const;
const idleMs = 5_000;
/** After the last connection was answered. */
const settleMs = 2_000;
const giveBackMs = 60_000;

export const memory: Part = {
  name: 'memory',
  title: 'Memory',
  about:
    'Resident memory in MiB: the larger of egress and ingress, pages shared with other programs included (`resident`), ' +
    'and of that what belongs to nobody else and to no file (`anonymous`). `idle`: 5 s after readiness, before any ' +
    'request; `idle-cold`: the first start ever, Node had to compile everything; `idle-control-plane`: the identity comes ' +
    'from a control plane over gRPC. `conns-N`: N connections are open, each of which was answered one small GET; ' +
    '`growth` is the difference to the same process when it was idle, of egress and of ingress; `kept` what is left of ' +
    'the larger one a minute after their end. nginx is a master and a worker, whose shared pages are counted twice.',
  scenarios: [
    { name: 'idle', subjects: 'all' },
    { name: 'idle-cold', subjects: 'eastwest' },
    { name: 'idle-control-plane', subjects: 'eastwest' },
    { name: 'conns-1000', subjects: 'all' },
    { name: 'conns-10000', subjects: 'all', effort: 'full' },
  ],
  columns: [
    { metric: 'rss_mb', title: 'resident MiB', digits: 1, ratio: 'with-ratio' },
    { metric: 'rss_anon_mb', title: 'anonymous MiB', digits: 1, ratio: 'with-ratio' },
    { metric: 'growth_egress_mb', title: 'growth egress', digits: 1, ratio: 'alone' },
    { metric: 'growth_ingress_mb', title: 'growth ingress', digits: 1, ratio: 'alone' },
    { metric: 'kept_mb', title: 'kept', digits: 1, ratio: 'alone' },
  ],
  run,
};

interface Candidate {
  readonly scenario: string;
  readonly subject: Subject;
  readonly env: Readonly<Record<string, string>>;
}

interface Started {
  readonly scenario: string;
  readonly pair: Pair;
  readonly idle: Sides;
}

async function run(bench: Bench) {
  await using stack = new AsyncDisposableStack();
  const loader = stack.use(startLoader(bench.signal));
  const controlPlane = stack.use(await startControlPlane(bench.identities, bench));
  const appPort = await freePort();
  stack.use(await startApp('http', appPort, bench));
  const warm = await filledCompileCache(bench);
  {
    // its own modules as well
    const joined = { ...bench, ...uncalled, env: warm };
    await using _ = await startPair(await eastwestOn(controlPlane, bench.workDir), joined);
  }
  const samples = createSamples();
  for (let round = 1; round <= rounds[bench.effort]; round += 1) {
    bench.progress(`round ${round} of ${rounds[bench.effort]}`);
    const candidates: Candidate[] = [
      ...bench.subjects.map((subject) => ({ scenario: 'idle', subject, env: warm })),
      { scenario: 'idle-cold', subject: eastwest, env: await emptyCompileCache(bench.workDir) },
      { scenario: 'idle-control-plane', subject: await eastwestOn(controlPlane, bench.workDir), env: warm },
    ];
    await measureRound(candidates, { ...bench, appPort }, { samples, loader });
  }
  return samples.findings();
}

/** Starts all, lets all be idle for the same time, looks; then the connections. */
async function measureRound(
  candidates: readonly Candidate[],
  bench: Bench & { readonly appPort: number },
  { samples, loader }: { readonly samples: Samples; readonly loader: Loader },
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const pairs: { scenario: string; pair: Pair }[] = [];
  for (const { scenario, subject, env } of candidates) {
    try {
      const pair = stack.use(await startPair(subject, { ...bench, protocol: 'http', env }));
      pairs.push({ scenario, pair });
    } catch (error) {
      bench.signal.throwIfAborted();
      missed(bench, samples, { subject: subject.name, ...(scenario === 'idle' ? {} : { scenario }), error });
    }
  }
  await systemClock.sleep(idleMs, bench.signal);
  const started: readonly Started[] = pairs.map((each) => ({ ...each, idle: sidesOf(each.pair) }));
  for (const { scenario, pair, idle } of started) samples.add(scenario, pair.subject, largerOf(idle));
  const called = started.filter(({ scenario }) => scenario === 'idle');
  for (const connections of bench.effort === 'quick' ? [1_000] : [1_000, 10_000]) {
    const scenario = `conns-${connections}`;
    for (const { pair, idle } of called) {
      if (samples.misses(scenario, pair.subject)) continue;
      bench.progress(`${scenario} ${pair.subject}`);
      try {
        await using _ = await loader.hold(pair.place.egressPort, connections);
        await systemClock.sleep(settleMs, bench.signal);
        const held = sidesOf(pair);
        samples.add(scenario, pair.subject, { ...largerOf(held), ...growth(held, idle) });
      } catch (error) {
        bench.signal.throwIfAborted();
        missed(bench, samples, { subject: pair.subject, scenario, error });
      }
    }
  }
  if (bench.effort === 'quick') return;
  bench.progress('giving back');
  await systemClock.sleep(giveBackMs, bench.signal);
  for (const { pair, idle } of called) {
    const { growth_mb: kept } = growth(sidesOf(pair), idle);
    samples.add('conns-10000', pair.subject, { kept_mb: kept });
  }
}

interface Sides {
  readonly egress: ReturnType<typeof memoryOf>;
  readonly ingress: ReturnType<typeof memoryOf>;
}

function sidesOf({ egress, ingress }: Pair): Sides {
  return { egress: memoryOf(egress.pid), ingress: memoryOf(ingress.pid) };
}

function largerOf({ egress, ingress }: Sides) {
  return {
    rss_mb: Math.max(egress.rssMb, ingress.rssMb),
    rss_anon_mb: Math.max(egress.rssAnonMb, ingress.rssAnonMb),
  };
}

function growth(now: Sides, idle: Sides) {
  const egress = now.egress.rssMb - idle.egress.rssMb;
  const ingress = now.ingress.rssMb - idle.ingress.rssMb;
  return { growth_mb: Math.max(egress, ingress), growth_egress_mb: egress, growth_ingress_mb: ingress };
}
