import { readdirSync, readFileSync } from 'node:fs';

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
