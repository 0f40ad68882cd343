import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';

/** What a process holds, as Linux tells it. */
export interface ProcessFigures {
  readonly rssMb: number;
  /** Anonymous memory: without the program's own pages. */
  readonly anonMb: number;
  /** Open files, sockets among them. */
  readonly handles: number;
}

export function figuresOf(pid: number): ProcessFigures {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const mb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  return { rssMb: mb('VmRSS'), anonMb: mb('RssAnon'), handles: readdirSync(`/proc/${pid}/fd`).length };
}

/** What an idle process holds differs by a few megabytes from one collection to the next. */
export function expectNoGrowth(
  name: string,
  { before, after }: { readonly before: ProcessFigures; readonly after: ProcessFigures },
): void {
  expect(after.anonMb, `anonymous memory of ${name}, MB`).toBeLessThan(before.anonMb * 1.1 + 8);
  expect(after.handles, `open files of ${name}`).toBeLessThan(before.handles + 8);
}
