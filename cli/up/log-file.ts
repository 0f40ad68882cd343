import { closeSync, openSync, renameSync, writeSync } from 'node:fs';

/** Appends lines to a file of mode 0600. */
export interface LogFile {
  readonly path: string;
  write(line: string): void;
  close(): void;
}

/** When the file has grown to this size it becomes `<name>.1` and a new one begins: at most twice this on disk. */
const maxFileBytes = 8 * 1024 * 1024;

/** Begins anew at each run. A full disk loses log lines, never the mesh. */
export function openLogFile(path: string): LogFile {
  let file = openSync(path, 'w', 0o600);
  let bytes = 0;
  const turnOver = (): void => {
    closeSync(file);
    renameSync(path, `${path}.1`);
    file = openSync(path, 'w', 0o600);
    bytes = 0;
  };
  return {
    path,
    write(line) {
      try {
        if (bytes > maxFileBytes) turnOver();
        bytes += writeSync(file, `${line}\n`);
      } catch {
        // no room: what runs matters more
      }
    },
    close: () => closeSync(file),
  };
}
