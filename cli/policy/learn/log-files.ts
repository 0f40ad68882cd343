import { createReadStream, globSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UsageError, type Edge } from '#cli/edge.ts';
import { readLines } from './line-reader.ts';

/** What a folder's access logs are called, turned over or not. */
const logFiles = '*access*.{log,jsonl,json}{,.[0-9]*,.gz}';

interface LogSource {
  readonly name: string;
  open(): AsyncIterable<Uint8Array | string>;
}

/** Files, the access logs right inside folders, and `-` for standard input. Throws `UsageError` for what is not there. */
export function logSources(names: readonly string[], edge: Edge): readonly LogSource[] {
  const paths = names.flatMap((name) => (name === '-' ? [name] : filesAt(resolve(edge.cwd, name))));
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) throw new UsageError(`${twice} is given twice`, 'name each file once: calls are counted');
  return paths.map((path) =>
    path === '-' ? { name: 'standard input', open: () => edge.stdin } : { name: path, open: () => opened(path, edge) },
  );
}

/** Gives each line of it; undefined: one that is too long. Throws `UsageError` where it cannot be read. */
export async function readLog(
  source: LogSource,
  { stop }: Edge,
  onLine: (line: string | undefined) => void,
): Promise<void> {
  try {
    await readLines(source.open(), onLine, stop);
  } catch (cause) {
    stop.throwIfAborted();
    if (!(cause instanceof Error) || !('code' in cause)) throw cause; // nothing that reading does
    throw new UsageError(
      `${source.name} cannot be read: ${cause.message}`,
      'name an access log that is whole, and that this user may read',
    );
  }
}

function filesAt(path: string): readonly string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`there is no ${path}`, 'name an access log, or a folder of them');
  if (!found.isDirectory()) return [path];
  const files = logsIn(path);
  if (files.length > 0) return files;
  throw new UsageError(`${path} holds no access logs`, `a folder's access logs are its files ${logFiles}; name others`);
}

function logsIn(dir: string): readonly string[] {
  return globSync(logFiles, { cwd: dir })
    .toSorted()
    .map((file) => join(dir, file));
}

function opened(path: string, { stop }: Edge): AsyncIterable<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: 1_048_576, signal: stop });
  if (!path.endsWith('.gz')) return file;
  return pipeline(file, createGunzip(), () => undefined); // a failure ends the reading of what comes out
}
