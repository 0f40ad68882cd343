import { readdirSync, readFileSync } from 'node:fs';

export interface FoundProcess {
  readonly pid: number;
  readonly parent: number;
  readonly words: readonly string[];
}

/** Every process below `root`, children first seen first (Linux: read from /proc). */
export function processesBelow(root: number): FoundProcess[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const found = readProcess(Number(name));
      return found ? [found] : [];
    });
  const below: FoundProcess[] = [];
  const parents = new Set([root]);
  for (let grown = true; grown;) {
    const next = all.filter((found) => parents.has(found.parent) && !parents.has(found.pid));
    for (const found of next) parents.add(found.pid);
    below.push(...next);
    grown = next.length > 0;
  }
  return below;
}

function readProcess(pid: number): FoundProcess | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
    return { pid, parent, words };
  } catch {
    return undefined; // it ended while we looked
  }
}
