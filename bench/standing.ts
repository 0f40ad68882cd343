import { appOf, startApp } from './app.ts';
import { checkDuties, checkNeglect } from './duties.ts';
import { startPair, type Pair, type PairSettings } from './pair.ts';
import type { Bench } from './parts/part.ts';
import { freePort, type Running } from './running.ts';
import type { Samples } from './samples.ts';
import type { Protocol, Subject } from './subjects/subject.ts';

/** An app and all pairs in front of it, each seen to do its duties (or to neglect them, where that is the point). */
export interface Standing {
  readonly app: Running;
  readonly appPort: number;
  readonly pairs: readonly Pair[];
}

/** A subject that lacks the protocol, does not start or neglects a duty becomes a gap. */
export async function startAll(
  protocol: Protocol,
  bench: Bench,
  { samples, stack }: { readonly samples: Samples; readonly stack: AsyncDisposableStack },
): Promise<Standing> {
  const appPort = await freePort();
  const pairs: Pair[] = [];
  {
    // Who looks at every header is too slow to be measured with.
    await using _ = await startApp(protocol === 'http2' ? 'identity' : appOf[protocol], appPort, bench);
    const starting = bench.subjects.map((subject) =>
      startOne(subject, { ...bench, protocol, appPort }, { samples, stack }),
    );
    for (const pair of await Promise.all(starting)) if (pair !== undefined) pairs.push(pair);
  }
  const app = stack.use(await startApp(appOf[protocol], appPort, bench));
  return { app, appPort, pairs };
}

async function startOne(
  subject: Subject,
  settings: Bench & PairSettings,
  { samples, stack }: { readonly samples: Samples; readonly stack: AsyncDisposableStack },
): Promise<Pair | undefined> {
  const lack = subject.lacks(settings.protocol);
  if (lack !== undefined) {
    samples.miss({ subject: subject.name, why: lack });
    return undefined;
  }
  try {
    const pair = stack.use(await startPair(subject, settings));
    await (subject.duties === 'checked' ? checkDuties(pair) : checkNeglect(pair));
    return pair;
  } catch (error) {
    settings.signal.throwIfAborted();
    missed(settings, samples, { subject: subject.name, error });
    return undefined;
  }
}

export function missed(
  bench: Bench,
  samples: Samples,
  { subject, scenario, error }: { subject: string; scenario?: string; error: unknown },
): void {
  const why = (error instanceof Error ? error.message : String(error)).trim();
  bench.progress(`${scenario ?? 'all'} ${subject} failed: ${why}`);
  const lines = why.split('\n');
  const told = lines.length === 1 ? why : `${lines[0]} … ${lines.at(-1)}`;
  samples.miss({ subject, scenario, why: `failed: ${told.slice(0, 400)}` });
}
