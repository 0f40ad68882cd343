import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { ok, refuse, type Result } from './result.ts';

/**
 * A file's bytes as Latin-1, or what is wrong with it in a few words. Follows links, as Kubernetes makes them; waits for
 * no pipe.
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<Result<string, string>> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) return refuse('is not a file');
    if (found.size > maxBytes) return refuse(`is larger than ${maxBytes} bytes`);
    return ok(await file.readFile('latin1'));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    return refuse(code === 'ENOENT' ? 'is missing' : `cannot be read: ${code ?? 'unknown error'}`);
  }
}
