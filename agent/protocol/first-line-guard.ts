import type { Pipe, PipeReader } from '#agent/pipe/pipe.ts';
import { detectProtocol } from './detect.ts';

const nothing = Buffer.alloc(0);

/**
 * The pipe of a caller that was taken for opaque before its first line was read: because it was silent, or slow. Should
 * that line turn out to be HTTP after all, the stream is cut before a header passes unread.
 */
export class FirstLineGuard implements Pipe, PipeReader {
  reader: PipeReader;
  readonly #pipe: Pipe;
  #line: Buffer | undefined = nothing;

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
    this.reader = pipe.reader;
    pipe.reader = this;
  }

  get isOpen(): boolean {
    return this.#pipe.isOpen;
  }
  get unsentBytes(): number {
    return this.#pipe.unsentBytes;
  }
  write(bytes: Buffer): boolean {
    return this.#pipe.write(bytes);
  }
  writeText(text: string): boolean {
    return this.#pipe.writeText(text);
  }
  flush(): void {
    this.#pipe.flush();
  }
  end(): void {
    this.#pipe.end();
  }
  cut(): void {
    this.#pipe.cut();
  }
  pause(): void {
    this.#pipe.pause();
  }
  resume(): void {
    this.#pipe.resume();
  }

  onBytes(bytes: Buffer): void {
    if (this.#line === undefined) return this.reader.onBytes(bytes);
    const line = Buffer.concat([this.#line, bytes]);
    switch (detectProtocol(line)) {
      case 'http':
      case 'http2':
        this.#pipe.pause();
        return this.#pipe.cut();
      case 'opaque':
        this.#line = undefined;
        break;
      case 'more':
        this.#line = line;
    }
    this.reader.onBytes(bytes);
  }
  onEnd(): void {
    this.reader.onEnd();
  }
  onCut(): void {
    this.reader.onCut();
  }
  onDrain(): void {
    this.reader.onDrain();
  }
}
