import { dirname } from 'node:path';
import { readBoundedFile } from '#runtime/bounded-file.ts';
import type { Clock } from '#runtime/clock.ts';
import { defaultFolderWatch, watchFolder } from '#runtime/file-watch.ts';
import type { IssuerBook } from './issuer-book.ts';

const maxFileBytes = 262_144;
/** A file that is being written is looked at again before it is reported. */
const secondLookMs = 200;

/** Keeps an issuer's keys equal to a file with its JWK Set, until the signal aborts; then throws its reason (S66). */
export function followFile(book: IssuerBook, path: string, clock: Clock, signal: AbortSignal): Promise<never> {
  const read = async (): Promise<(() => void) | undefined> => {
    const file = await readBoundedFile(path, maxFileBytes);
    if (!file.ok) return () => void book.refused(`${path} ${file.reason}`);
    const document = Buffer.from(file.value, 'latin1');
    if (document.toString('utf8') !== book.document) return () => void book.take(document);
    book.take(document); // the same: what was wrong in between is over
    return undefined;
  };
  let isFirst = true;
  const look = async (): Promise<void> => {
    const settle = await read();
    if (settle === undefined) return;
    if (!isFirst) await clock.sleep(secondLookMs, signal);
    const again = isFirst ? settle : await read();
    isFirst = false;
    again?.();
  };
  return watchFolder(dirname(path), look, { ...defaultFolderWatch, clock }, signal);
}
