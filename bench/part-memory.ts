import { systemClock } from '#runtime/system-clock.ts';
import { emptyCompileCache, filledCompileCache } from './compile-cache.ts';
import { eastwestOn, startControlPlane } from './control-plane.ts';
import { startPair, type Pair } from './pair.ts';
import type { Bench, Figure, Part } from './part.ts';
import { memoryOf } from './proc.ts';
import { createSamples } from './samples.ts';
import { eastwest } from './subjects/eastwest.ts';
import type { Subject } from './subjects/subject.ts';

const rounds = { quick: 3, full: 5 } as const;
const idleMs = 5_000;

export const memory: Part = {
  name: 'memory',
  title: 'Memory of an idle process',
  about:
    'Resident memory 5 s after readiness, before any request, in MiB: the larger of egress and ingress, pages shared with ' +
    'other programs included (`resident`), and of that what belongs to nobody else and to no file (`anonymous`). ' +
    '`idle-cold`: the first start ever, Node had to compile everything; `idle-control-plane`: the identity comes from a ' +
    'control plane over gRPC. nginx is a master and a worker, whose shared pages are counted twice. Ceiling: 80 resident, of which 45 anonymous; aim: 60.',
  scenarios: [
    { name: 'idle', subjects: 'all' },
    { name: 'idle-cold', subjects: 'eastwest' },
    { name: 'idle-control-plane', subjects: 'eastwest' },
  ],
  columns: [
    { metric: 'rss_mb', title: 'resident MiB', digits: 1, ratio: 'with-ratio' },
    { metric: 'rss_anon_mb', title: 'anonymous MiB', digits: 1, ratio: 'with-ratio' },
  ],
  needs: [],
  run,
};

interface Candidate {
  readonly scenario: string;
  readonly subject: Subject;
  readonly env: Readonly<Record<string, string>>;
}

async function run(bench: Bench): Promise<readonly Figure[]> {
  await using stack = new AsyncDisposableStack();
  const controlPlane = stack.use(await startControlPlane(bench.identities, bench));
  const warm = await filledCompileCache(bench);
  const samples = createSamples();
  await measureTogether(
    [{ scenario: '', subject: await eastwestOn(controlPlane, bench.workDir), env: warm }],
    bench,
    0,
  );
  for (let round = 1; round <= rounds[bench.effort]; round += 1) {
    bench.progress(`round ${round} of ${rounds[bench.effort]}`);
    const candidates: Candidate[] = [
      ...bench.subjects.map((subject) => ({ scenario: 'idle', subject, env: warm })),
      { scenario: 'idle-cold', subject: eastwest, env: await emptyCompileCache(bench.workDir) },
      { scenario: 'idle-control-plane', subject: await eastwestOn(controlPlane, bench.workDir), env: warm },
    ];
    for (const { scenario, subject, metrics } of await measureTogether(candidates, bench, idleMs)) {
      samples.add(scenario, subject, metrics);
    }
  }
  return samples.figures();
}

/** Starts all, lets all be idle for the same time, then looks. */
async function measureTogether(
  candidates: readonly Candidate[],
  bench: Bench,
  waitMs: number,
): Promise<readonly { scenario: string; subject: string; metrics: Record<string, number> }[]> {
  await using stack = new AsyncDisposableStack();
  const pairs: { scenario: string; pair: Pair }[] = [];
  for (const { scenario, subject, env } of candidates) {
    pairs.push({ scenario, pair: stack.use(await startPair(subject, { ...bench, env, appPort: 9 })) });
  }
  await systemClock.sleep(waitMs, bench.signal);
  return pairs.map(({ scenario, pair }) => ({ scenario, subject: pair.subject, metrics: largerOf(pair) }));
}

function largerOf({ egress, ingress }: Pair): Record<string, number> {
  const [one, other] = [memoryOf(egress.pid), memoryOf(ingress.pid)];
  return {
    rss_mb: Math.max(one.rssMb, other.rssMb),
    rss_anon_mb: Math.max(one.rssAnonMb, other.rssAnonMb),
  };
}
