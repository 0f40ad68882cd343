import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Fault } from '#runtime/fault.ts';

export const storeFile = 'store.sqlite';
export const trustBundleFile = 'trust-bundle.pem';
const socketFile = 'admin.sock';
/** Where the socket is when the data directory's path is too long for one. */
const socketPathFile = 'admin.sock.path';
/** Unix socket paths end at 107 bytes (Linux) or 103 (macOS). */
const longestSocketPath = 100;

/** Makes the data directory (0700), or makes sure that nobody else can read the one that is there. */
export async function openDataDir(path: string): Promise<string> {
  const dataDir = resolve(path);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const { mode } = await stat(dataDir);
  if ((mode & 0o077) === 0) return dataDir;
  throw new Fault('DATA_DIR_OPEN', `others can read ${dataDir}, where the CA's keys are`, {
    hint: `chmod 700 ${dataDir}`,
  });
}

/** There whole or not at all, and on disk when this resolves. */
export async function writeFileAtomically(path: string, content: string, mode: number): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(draft, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.chmod(mode); // whatever the umask
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  await syncFolderOf(path);
}

/** A file's name is on disk only once its folder is. */
export async function syncFolderOf(path: string): Promise<void> {
  await using folder = await open(dirname(path));
  await folder.sync();
}

/** Chooses the admin socket's path, and notes it where `findAdminSocket` looks. */
export async function placeAdminSocket(dataDir: string): Promise<string> {
  const note = join(dataDir, socketPathFile);
  const path = join(dataDir, socketFile);
  if (Buffer.byteLength(path) <= longestSocketPath) {
    await rm(note, { force: true });
    return path;
  }
  const elsewhere = join(await mkdtemp(join(tmpdir(), 'eastwest-')), socketFile); // 0700
  await writeFileAtomically(note, `${elsewhere}\n`, 0o600);
  return elsewhere;
}

/** The admin socket of the control plane that runs on this data directory. */
export async function findAdminSocket(path: string): Promise<string> {
  const dataDir = resolve(path);
  const noted = await readFile(join(dataDir, socketPathFile), 'utf8').catch(() => undefined);
  return noted?.trim() ?? join(dataDir, socketFile);
}
