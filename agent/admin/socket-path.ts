import { once } from 'node:events';
import { lstat, mkdir, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { geteuid, umask } from 'node:process';
import { Fault } from '#runtime/fault.ts';

/** Longer paths do not fit into a socket address everywhere. */
const maxPathBytes = 100;

/**
 * Makes `path` free for a socket of ours: its folder may be written by nobody else, and what lies there may only be a
 * socket that nobody answers any more. Throws `ADMIN_SOCKET_UNSAFE`.
 */
export async function claimSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > maxPathBytes)
    throw unsafe(`${path} is longer than ${maxPathBytes} bytes`, 'choose a shorter one');
  const dir = dirname(path);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const folder = await lstat(dir);
  const isOurs = geteuid === undefined || folder.uid === geteuid() || folder.uid === 0;
  if (!folder.isDirectory() || (folder.mode & 0o022) !== 0 || !isOurs) {
    throw unsafe(
      `others may replace files in ${dir}`,
      `put the socket into a folder of this user alone: chmod 700 ${dir}`,
    );
  }
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw unsafe(`${path} is there and is no socket`, 'remove it or choose another path');
  if (await isAnswered(path)) throw unsafe(`${path} is in use`, 'is another agent running with this configuration?');
  await unlink(path);
}

/** Listens on a socket file that is 0600 from its first moment on. */
export function listenPrivately(server: Server, path: string): void {
  const before = umask(0o177);
  try {
    server.listen(path); // the file is made before this returns
  } finally {
    umask(before);
  }
}

async function isAnswered(path: string): Promise<boolean> {
  const probe = connect(path);
  try {
    await once(probe, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    probe.destroy();
  }
}

function unsafe(message: string, hint: string): Fault {
  return new Fault('ADMIN_SOCKET_UNSAFE', message, { hint });
}
