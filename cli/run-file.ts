import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** How another command finds a running `up`: `run.json` in its state directory. */
export interface RunFile {
  readonly pid: number;
  /** Unix socket that answers `GET /status`. */
  readonly socket: string;
}

export const defaultStateDir = '.eastwest';

export function runFilePath(stateDir: string): string {
  return join(stateDir, 'run.json');
}

/** Undefined: nothing was started there, or it ended cleanly. A file of somebody else's making counts as none. */
export function readRunFile(stateDir: string): RunFile | undefined {
  const path = runFilePath(stateDir);
  if (!existsSync(path)) return undefined;
  try {
    const { pid, socket } = JSON.parse(readFileSync(path, 'utf8')) as Partial<RunFile>;
    if (typeof pid === 'number' && typeof socket === 'string') return { pid, socket };
  } catch {
    // half-written or not ours
  }
  return undefined;
}
