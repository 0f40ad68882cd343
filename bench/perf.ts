import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { processTree } from './proc.ts';
import { findProgram } from './programs.ts';

let available: boolean | undefined;

/** Whether `perf` is here, may be used, and the processor (or who emulates it) counts instructions. */
export function countsInstructions(): boolean {
  if (available === undefined) {
    const perf = findProgram('perf');
    const said = perf === undefined ? undefined : spawnSync(perf, [...counter, 'true'], { encoding: 'utf8' });
    available = said?.status === 0 && !Number.isNaN(instructionsIn(said.stderr));
  }
  return available;
}

/** Instructions in user space of these processes and all below them while `work` runs; NaN where they cannot be counted. */
export async function instructionsDuring<T>(
  pids: readonly number[],
  work: () => Promise<T>,
): Promise<{ result: T; instructions: number }> {
  if (!countsInstructions()) return { result: await work(), instructions: NaN };
  const all = pids.flatMap((pid) => [...processTree(pid)]).join(',');
  const perf = spawn(findProgram('perf') ?? 'perf', [...counter, '-p', all], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(perf, 'exit');
  const said = text(perf.stderr);
  try {
    const result = await work();
    perf.kill('SIGINT');
    return { result, instructions: instructionsIn(await said) };
  } finally {
    perf.kill('SIGINT');
    await ended;
  }
}

const counter = ['stat', '-x,', '-e', 'instructions:u'] as const;

/** From `perf stat -x,`: `123456,,instructions:u,…`, or `<not supported>,,instructions:u,…`. */
export function instructionsIn(said: string): number {
  const line = said.split('\n').find((each) => each.includes('instructions'));
  return Number.parseInt(line ?? '', 10);
}
