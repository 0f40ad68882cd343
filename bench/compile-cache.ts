import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { startPair, uncalled } from './pair.ts';
import type { Bench } from './parts/part.ts';
import { eastwest } from './subjects/eastwest.ts';

/** Where Node keeps compiled code between starts. */
export type CompileCache = Readonly<Record<'NODE_COMPILE_CACHE', string>>;

/** As at the very first start. */
export async function emptyCompileCache(workDir: string): Promise<CompileCache> {
  return { NODE_COMPILE_CACHE: await mkdtemp(join(workDir, 'cache-')) };
}

/** As from the second start on: one pair has run and ended in good order. */
export async function filledCompileCache(bench: Bench): Promise<CompileCache> {
  const env = await emptyCompileCache(bench.workDir);
  const pair = await startPair(eastwest, { ...bench, ...uncalled, env });
  await pair[Symbol.asyncDispose]();
  return env;
}
