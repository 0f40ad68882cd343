import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { findEnvoy } from './find-envoy.ts';

/** Administrators' folders as well: they are often missing on a user's PATH, and proxies live there. */
const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];

const known = new Map<string, string | undefined>([['node', process.execPath]]);

/** `node` is the one that runs this. */
export function findProgram(name: string): string | undefined {
  if (!known.has(name)) {
    const onPath = folders.map((folder) => join(folder, name)).find(isExecutable);
    known.set(name, name === 'envoy' ? findEnvoy(onPath) : onPath);
  }
  return known.get(name);
}

/** Why a program cannot be used here; undefined when it can. */
export function missingProgram(name: string): string | undefined {
  return findProgram(name) === undefined ? `${name} is not on PATH` : undefined;
}

/** The first three-part version number in what the program says of itself. */
export async function versionOf(name: string, ...words: readonly string[]): Promise<string> {
  // Some end with an error after telling their version.
  const said = await promisify(execFile)(findProgram(name) ?? name, [...words]).catch(
    (error: { stdout?: string; stderr?: string }) => error,
  );
  const text = `${said.stdout ?? ''}${said.stderr ?? ''}`;
  const from = Math.max(0, text.search(/\bversion\b/i)); // a path with numbers may stand before it
  return /\d+\.\d+\.\d+/.exec(text.slice(from))?.[0] ?? 'of unknown version';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
