import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ok, refuse, type Result } from '#runtime/result.ts';

export type PrivateFileProblem = 'none' | 'unsafe-file' | 'too-large';

/** A file that this user alone can read; no link is followed, no pipe waited for. */
export async function readPrivateFile(path: string, maxBytes: number): Promise<Result<string, PrivateFileProblem>> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile() || (found.mode & 0o077) !== 0 || !isOurs(found.uid)) return refuse('unsafe-file');
    if (found.size > maxBytes) return refuse('too-large');
    return ok(await file.readFile('utf8'));
  } catch (cause) {
    return refuse((cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'none' : 'unsafe-file');
  }
}

/** Old content or new content, never half of it: written beside, synced, renamed over. Mode 0600. */
export async function replacePrivateFile(dir: string, name: string, text: string): Promise<void> {
  const draft = join(dir, `${name}.${randomBytes(8).toString('hex')}.tmp`);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  try {
    {
      await using file = await open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      await file.writeFile(text);
      await file.sync();
    }
    await rename(draft, join(dir, name));
  } catch (cause) {
    await unlink(draft).catch(() => undefined);
    throw cause;
  }
  await using folder = await open(dir, constants.O_RDONLY);
  await folder.sync();
}

/** Those of a process that was killed while it wrote. */
export async function removeDrafts(dir: string, name: string): Promise<void> {
  for (const found of await readdir(dir)) {
    if (found.startsWith(`${name}.`) && found.endsWith('.tmp')) await unlink(join(dir, found));
  }
}

export function isOurs(uid: number): boolean {
  return process.geteuid === undefined || process.geteuid() === uid;
}
