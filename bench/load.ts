import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './programs.ts';

export interface Load {
  readonly url: string;
  readonly connections: number;
  /** Whole seconds. */
  readonly seconds: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

export const loadGenerator = 'wrk';

/** GETs one after the other on each connection, as fast as they are answered. Throws when one failed: then no figure counts. */
export async function runLoad({ url, connections, seconds }: Load, signal: AbortSignal): Promise<LoadResult> {
  const words = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '5s'];
  const script = join(import.meta.dirname, 'load.lua');
  const { stdout } = await promisify(execFile)(
    findProgram(loadGenerator) ?? loadGenerator,
    [...words, '-s', script, url],
    {
      signal,
    },
  );
  const line = stdout.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`${loadGenerator} told no result: ${stdout}`);
  const { failures, ...result } = JSON.parse(line) as LoadResult & { failures: number };
  if (failures > 0 || result.requests === 0) {
    throw new Error(`${failures} requests to ${url} failed, ${result.requests} were answered`);
  }
  return result;
}
