import { noBytes } from '#agent/pipe/no-bytes.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { WrappedPipe } from '#agent/pipe/wrapped-pipe.ts';
import { detectProtocol } from './detect.ts';

/**
 * The pipe of a caller that was taken for opaque before its first line was read: because it was silent, or slow. Should
 * that line turn out to be HTTP after all, the stream is cut before a header passes unread.
 */
export class FirstLineGuard extends WrappedPipe {
  #line: Buffer | undefined = noBytes;

  constructor(pipe: Pipe) {
    const { reader } = pipe;
    super(pipe);
    this.reader = reader;
  }

  override onBytes(bytes: Buffer): void {
    if (this.#line === undefined) return this.reader.onBytes(bytes);
    const line = Buffer.concat([this.#line, bytes]);
    switch (detectProtocol(line)) {
      case 'http':
      case 'http2':
        this.pause();
        return this.cut();
      case 'opaque':
        this.#line = undefined;
        break;
      case 'more':
        this.#line = line;
    }
    this.reader.onBytes(bytes);
  }
}
