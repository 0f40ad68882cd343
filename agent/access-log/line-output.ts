import { close, constants, fstatSync, openSync, stat, write } from 'node:fs';
import type { AccessLogConfig } from '#agent/config-types.ts';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';

/** Somewhere to write to. One write at a time. */
export interface LineOutput {
  /** Calls back with how many bytes are gone: fewer, or none, where there is no room just now. */
  write(bytes: Buffer, onWritten: (written: number | 'failed') => void): void;
  close(): void;
}

/** Appends, waits for no reader of a pipe, and leads no child of ours to it. */
const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
const atomicBytes = 4_096;
const lineFeed = 0x0a;
/** A file that was renamed or removed is noticed within so long. */
const lookEveryMs = 1_000;

/** Opens it. Throws `ACCESS_LOG_NOT_OPEN`. */
export function openLineOutput(to: AccessLogConfig['to'], clock: Clock): LineOutput {
  if (to.kind === 'file') return new LineFile(to.path, clock);
  return standardOutput(to.kind === 'stdout' ? 1 : 2);
}

/**
 * A pipe is opened once more: of its own it neither blocks a thread, which could not be stopped any more, nor makes
 * others that write to the same pipe do without.
 */
function standardOutput(fd: 1 | 2): LineOutput {
  const own = reopenedPipe(fd);
  return {
    write: (bytes, onWritten) => writeTo(own ?? fd, own === undefined ? bytes : unbroken(bytes), onWritten),
    close: () => own !== undefined && close(own, () => undefined),
  };
}

/** As many lines as others that write to the same pipe cannot come between (POSIX `PIPE_BUF`, on Linux). */
function unbroken(bytes: Buffer): Buffer {
  if (bytes.length <= atomicBytes) return bytes;
  const end = bytes.lastIndexOf(lineFeed, atomicBytes - 1) + 1;
  return bytes.subarray(0, end > 0 ? end : atomicBytes);
}

function reopenedPipe(fd: number): number | undefined {
  try {
    return fstatSync(fd).isFIFO()
      ? openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
      : undefined;
  } catch {
    return undefined; // no /proc, or a pipe of somebody else's: then as it is
  }
}

/** A file that others may rename or remove, as log rotation does: it is made anew. */
class LineFile implements LineOutput {
  readonly #path: string;
  readonly #clock: Clock;
  #fd: number;
  #lookedMs: number;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.#lookedMs = clock.monotonic();
    try {
      this.#fd = openSync(path, flags, 0o600);
    } catch (cause) {
      const hint = 'does its folder exist, and may this user write there?';
      throw new Fault('ACCESS_LOG_NOT_OPEN', `cannot open ${path}`, { cause, hint });
    }
  }

  write(bytes: Buffer, onWritten: (written: number | 'failed') => void): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#lookedMs < lookEveryMs) return writeTo(this.#fd, bytes, onWritten);
    this.#lookedMs = nowMs;
    stat(this.#path, (error, found) => {
      if (error || found.ino !== fstatSync(this.#fd).ino) this.#reopen();
      writeTo(this.#fd, bytes, onWritten);
    });
  }

  close(): void {
    close(this.#fd, () => undefined);
  }

  #reopen(): void {
    try {
      const fd = openSync(this.#path, flags, 0o600);
      close(this.#fd, () => undefined);
      this.#fd = fd;
    } catch {
      // the old one is still there: better than nothing
    }
  }
}

function writeTo(fd: number, bytes: Buffer, onWritten: (written: number | 'failed') => void): void {
  write(fd, bytes, (error, written) => {
    if (error === null) return onWritten(written);
    onWritten(error.code === 'EAGAIN' ? 0 : 'failed');
  });
}
