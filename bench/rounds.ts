import { startLoader } from './load/loader.ts';
import { measure, type Load, type Measured } from './measure.ts';
import type { Bench } from './parts/part.ts';
import type { Samples } from './samples.ts';
import { missed, startAll } from './standing.ts';
import type { Protocol } from './subjects/subject.ts';

const directly = { warmUpSeconds: 1, seconds: 0.2, watch: [] } as const;

export interface RoundsPlan {
  readonly protocol: Protocol;
  /** Each pair's first load; with a scenario name it is counted as well. */
  readonly warmUp: Load & { readonly scenario?: string };
  /** Scenario → load. */
  readonly loads: Readonly<Record<string, Load>>;
  readonly rounds: number;
  readonly metrics: (measured: Measured) => Record<string, number>;
}

/**
 * All pairs stand at the same time and are measured in turns, A B C A B C, scenario by scenario. What fails is a gap and
 * ends that subject's part in the scenario.
 */
export async function runRounds(bench: Bench, samples: Samples, plan: RoundsPlan): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const loader = stack.use(startLoader(bench.signal));
  const { app, appPort, pairs } = await startAll(plan.protocol, bench, { samples, stack });
  // Generator and app compile while nobody is measured.
  await loader.run({ ...plan.warmUp.work, ...directly, connections: plan.warmUp.connections, port: appPort });
  const one = async (scenario: string, load: Load): Promise<void> => {
    for (const pair of pairs) {
      if (samples.misses(scenario, pair.subject)) continue;
      try {
        samples.add(scenario, pair.subject, plan.metrics(await measure(pair, load, { loader, app })));
      } catch (error) {
        bench.signal.throwIfAborted();
        missed(bench, samples, { subject: pair.subject, scenario, error });
      }
    }
  };
  const { scenario: cold, ...warmUp } = plan.warmUp;
  bench.progress(cold ?? 'warming up');
  if (cold !== undefined) await one(cold, warmUp);
  else for (const pair of pairs) await measure(pair, warmUp, { loader, app }).catch(() => undefined); // fails again below
  for (const [scenario, load] of Object.entries(plan.loads)) {
    for (let round = 1; round <= plan.rounds; round += 1) {
      bench.progress(`${scenario}: round ${round} of ${plan.rounds}`);
      await one(scenario, load);
    }
  }
}
