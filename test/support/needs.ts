import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * True when this machine lacks one of `needs`, and says in one line what is skipped and why: a test that did not run
 * must not look like one that passed. A need is a program on PATH, or `root`.
 * Use: `describe.skipIf(lacks('curl as a client', 'curl', 'openssl'))('…', …)`.
 */
export function lacks(what: string, ...needs: readonly string[]): boolean {
  const missing = needs.filter((need) => !(need === 'root' ? process.getuid?.() === 0 : isOnPath(need)));
  if (missing.length > 0) console.warn(`skipped: ${what} (needs ${needs.join(', ')}; not here: ${missing.join(', ')})`);
  return missing.length > 0;
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
