import { emptyCompileCache, filledCompileCache } from '#bench/compile-cache.ts';
import { eastwestOn, startControlPlane } from '#bench/control-plane.ts';
import { at, createPlace, uncalled } from '#bench/pair.ts';
import type { Bench, Findings, Part } from './part.ts';
import { startProcess } from '#bench/running.ts';
import { createSamples } from '#bench/samples.ts';
import { eastwest } from '#bench/subjects/eastwest.ts';
import type { Subject } from '#bench/subjects/subject.ts';

const rounds = { quick: 7, full: 21 } as const;

export const start: Part = {
  name: 'start',
  title: 'From start to ready',
  about:
    'From the start of the ingress process to its readiness, in milliseconds: for Eastwest the `agent.ready` line, which ' +
    'comes when it has a verified identity and its ports are open; for its peers the open port. `start-warm`: Node ' +
    'finds its compiled code from an earlier start, as in the image; `start-cold`: it finds none; ' +
    '`start-control-plane`: warm, and the identity is not in files but comes from a control plane with a join token. Ceiling: 1,000; aim: 500.',
  scenarios: [
    { name: 'start-warm', subjects: 'all' },
    { name: 'start-cold', subjects: 'eastwest' },
    { name: 'start-control-plane', subjects: 'eastwest' },
  ],
  columns: [{ metric: 'start_ms', title: 'ms', digits: 0, ratio: 'with-ratio' }],
  run,
};

async function run(bench: Bench): Promise<Findings> {
  await using stack = new AsyncDisposableStack();
  const controlPlane = stack.use(await startControlPlane(bench.identities, bench));
  const warm = await filledCompileCache(bench);
  await startMs(await eastwestOn(controlPlane, bench.workDir), { ...bench, env: warm }); // its own modules as well
  const samples = createSamples();
  for (let round = 1; round <= rounds[bench.effort]; round += 1) {
    bench.progress(`round ${round} of ${rounds[bench.effort]}`);
    for (const subject of bench.subjects) {
      samples.add('start-warm', subject.name, { start_ms: await startMs(subject, { ...bench, env: warm }) });
    }
    const cold = { ...bench, env: await emptyCompileCache(bench.workDir) };
    samples.add('start-cold', eastwest.name, { start_ms: await startMs(eastwest, cold) });
    const onControlPlane = await eastwestOn(controlPlane, bench.workDir);
    const joined = await startMs(onControlPlane, { ...bench, env: warm });
    samples.add('start-control-plane', eastwest.name, { start_ms: joined });
  }
  return samples.findings();
}

async function startMs(subject: Subject, bench: Bench): Promise<number> {
  const place = await createPlace({ ...bench, ...uncalled });
  await using running = await startProcess(subject.program, subject.ingress(at(place, 'ingress')), bench);
  return running.startMs;
}
