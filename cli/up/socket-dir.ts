import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '#runtime/fault.ts';

export const socketDirPrefix = 'eastwest-';
const randomChars = 6; // what `mkdtemp` adds
/** Unix socket paths end at 107 bytes (Linux) or 103 (macOS); the admin socket of an agent ends at 100. */
const longestSocketPath = 100;

/** Where sockets may be: TMPDIR, or `/tmp` where that is missing or too long. */
export const temporaryDirs = (): readonly string[] => [...new Set([tmpdir(), '/tmp'])];

/** Makes a folder (0700) that has room for a socket of this name. Throws `Fault` NO_TMPDIR. */
export function makeSocketDir(longestName: number): string {
  let cause: unknown;
  for (const dir of temporaryDirs()) {
    const bytes = Buffer.byteLength(join(dir, socketDirPrefix)) + randomChars + 1 + longestName;
    if (bytes > longestSocketPath) continue;
    try {
      return mkdtempSync(join(dir, socketDirPrefix));
    } catch (error) {
      cause = error;
    }
  }
  throw new Fault('NO_TMPDIR', `no folder for sockets: ${temporaryDirs().join(' and ')} cannot be used`, {
    cause,
    hint: 'set TMPDIR to a folder that exists, is yours to write and has a short path',
  });
}
