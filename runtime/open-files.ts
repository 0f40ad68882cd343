import { readFileSync } from 'node:fs';

/** How many files and sockets this process may have open; undefined where the system does not tell. */
export function maxOpenFiles(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined; // no /proc: not Linux
  }
}
