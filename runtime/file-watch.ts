import { stat } from 'node:fs/promises';
import type { FSWatcher } from 'chokidar';
import type { Clock } from './clock.ts';

export interface FolderWatch {
  /** A notice can be lost: the folder is looked at this often in any case. */
  readonly pollMs: number;
  /** How long it must be quiet after a notice: several files are seldom written at once. */
  readonly settleMs: number;
}

export const defaultFolderWatch: FolderWatch = { pollMs: 2_000, settleMs: 50 };

/**
 * Calls `look` at the start, soon after something changed in the folder, and every `pollMs`; never twice at the same
 * time. The folder may be missing and come back, and Kubernetes may swap the `..data` link that its files hang on.
 * Ends by throwing the signal's reason; what `look` throws passes through.
 */
export async function watchFolder(
  dir: string,
  look: () => Promise<void>,
  { pollMs, settleMs, clock }: FolderWatch & { readonly clock: Clock },
  signal: AbortSignal,
): Promise<never> {
  const { watch } = await import('chokidar');
  let notice = Promise.withResolvers<void>();
  let watcher: FSWatcher | undefined;

  let watchedInode: number | undefined;

  /** Notices come from the folder as it was opened: one that was made anew needs a new watcher. */
  async function renewWatcher(): Promise<void> {
    const inode = await stat(dir).then(
      (found) => found.ino,
      () => undefined,
    );
    if (inode === watchedInode) return;
    await watcher?.close();
    watchedInode = inode;
    watcher = inode === undefined ? undefined : watch(dir, { depth: 1, ignoreInitial: true, followSymlinks: false });
    watcher?.on('ready', () => notice.resolve()); // what changed while it was being put in place
    watcher?.on('all', () => notice.resolve());
    watcher?.on('error', () => notice.resolve()); // a full watch table and the like: polling goes on
  }

  try {
    for (;;) {
      signal.throwIfAborted();
      await renewWatcher();
      await look();
      const heard = await firstOf(notice.promise, pollMs, clock, signal);
      if (heard === 'notice') await clock.sleep(settleMs, signal);
      notice = Promise.withResolvers<void>();
    }
  } finally {
    await watcher?.close();
  }
}

async function firstOf(
  notice: Promise<void>,
  pollMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<'notice' | 'poll'> {
  const enough = new AbortController();
  const poll = clock.sleep(pollMs, AbortSignal.any([signal, enough.signal])).then(() => 'poll' as const);
  try {
    return await Promise.race([notice.then(() => 'notice' as const), poll]);
  } finally {
    poll.catch(() => undefined);
    enough.abort();
  }
}
