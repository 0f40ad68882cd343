import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What can happen to one worker of an agent process that was started with this environment. */
export interface WorkerTrap extends Disposable {
  readonly env: Readonly<Record<string, string>>;
  /** `throw`: nobody catches it. `stall`: its event loop stands still. */
  close(what: 'throw' | 'exit' | { readonly stallMs: number }): void;
}

export function createWorkerTrap(worker: number): WorkerTrap {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-trap-'));
  const file = join(folder, 'trap');
  return {
    env: {
      NODE_OPTIONS: `--import=${join(import.meta.dirname, 'apps', 'worker-trap.mjs')}`,
      TRAP_FILE: file,
      TRAP_WORKER: `${worker}`,
    },
    close(what) {
      writeFileSync(`${file}.new`, typeof what === 'string' ? what : `stall ${what.stallMs}`);
      renameSync(`${file}.new`, file); // whole, or not at all
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
