import type { HttpConnection } from '#agent/http/service.ts';
import type { Pipe, PipeReader } from '#agent/pipe/pipe.ts';
import type { Result } from '#runtime/result.ts';
import type { FarEnd, NotOpened, OpenOpaque } from './far-end.ts';

/** Serves an opaque connection: nothing of it is read until the far end is open. */
export function serveOpaque(pipe: Pipe, openOpaque: OpenOpaque): HttpConnection {
  const connection = new OpaqueConnection(pipe);
  connection.start(openOpaque);
  return connection;
}

class OpaqueConnection implements HttpConnection, PipeReader {
  readonly #pipe: Pipe;
  /** The pipe was not resumed, and may have had this already. */
  readonly #early: Buffer[] = [];
  #hasEnded = false;
  #stopOpening: (() => void) | undefined;
  #joined: HttpConnection | undefined;
  #isOver = false;

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
    pipe.reader = this;
  }

  start(openOpaque: OpenOpaque): void {
    const stop = openOpaque((opened) => this.#opened(opened));
    if (this.#joined === undefined && !this.#isOver) this.#stopOpening = stop;
  }

  drain(): void {
    this.#joined?.drain();
  }
  reconsider(): void {
    this.#joined?.reconsider?.();
  }
  destroy(): void {
    if (this.#joined !== undefined) return this.#joined.destroy();
    this.#leave();
    this.#pipe.cut();
  }

  onBytes(bytes: Buffer): void {
    this.#early.push(Buffer.from(bytes));
  }
  onEnd(): void {
    this.#hasEnded = true;
  }
  onCut(): void {
    this.#leave();
  }
  onDrain(): void {
    // nothing was written
  }

  #opened(opened: Result<FarEnd, NotOpened>): void {
    this.#stopOpening = undefined;
    if (!opened.ok) {
      opened.reason.tell();
      this.#isOver = true;
      return this.#pipe.cut();
    }
    this.#joined = opened.value.join(this.#pipe);
    const { reader } = this.#pipe;
    for (const bytes of this.#early.splice(0)) reader.onBytes(bytes);
    if (this.#hasEnded) reader.onEnd();
  }

  #leave(): void {
    this.#isOver = true;
    this.#stopOpening?.();
    this.#stopOpening = undefined;
  }
}
