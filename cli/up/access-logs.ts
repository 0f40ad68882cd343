import { globSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { accessLogEnd } from './plan.ts';

/** An access log of this size becomes `<name>.1`, and the agent begins a new one: at most about twice this on disk. */
const maxFileBytes = 64 * 1024 * 1024;

/** The access logs that agents of `up` wrote here, also those that were turned over. */
export function accessLogsIn(logDir: string): readonly string[] {
  return globSync(`*${accessLogEnd}{,.1}`, { cwd: logDir })
    .toSorted()
    .map((file) => join(logDir, file));
}

/** Those of an earlier run: logs begin anew at each. */
export function removeAccessLogs(logDir: string): void {
  for (const file of accessLogsIn(logDir)) rmSync(file, { force: true });
}

/** Turns over the one that has grown; agents notice within a second. What cannot be done is tried again later. */
export function turnOver(file: string | undefined, maxBytes = maxFileBytes): void {
  try {
    if (file !== undefined && (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > maxBytes) {
      renameSync(file, `${file}.1`);
    }
  } catch {
    // what runs matters more
  }
}
