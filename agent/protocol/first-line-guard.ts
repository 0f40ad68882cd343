import { noBytes } from '#agent/pipe/no-bytes.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { WrappedPipe } from '#agent/pipe/wrapped-pipe.ts';
import { detectProtocol, readLineRest, versionBytes } from './detect.ts';

/**
 * The pipe of a caller that was taken for opaque before its first line was read: because it was silent, or slow, or began
 * as no request does. Should that line turn out to be HTTP after all, the stream is cut before a header passes unread.
 */
export class FirstLineGuard extends WrappedPipe {
  /** `word`: it may yet be anything. `line`: only a version in its first line would make it HTTP. */
  #watching: 'word' | 'line' | 'nothing' = 'word';
  /** What passed of the line; of one without a method no more than could begin a version. */
  #passed: Buffer = noBytes;

  constructor(pipe: Pipe) {
    const { reader } = pipe;
    super(pipe);
    this.reader = reader;
  }

  override onBytes(bytes: Buffer): void {
    if (this.#watching !== 'nothing' && !this.#mayPass(bytes)) {
      this.pause();
      return this.cut();
    }
    this.reader.onBytes(bytes);
  }

  #mayPass(bytes: Buffer): boolean {
    const line = Buffer.concat([this.#passed, bytes]);
    const verdict = this.#watching === 'word' ? detectProtocol(line) : readLineRest(line, 0);
    this.#passed = line;
    switch (verdict) {
      case 'http':
      case 'http2':
      case 'version':
        return false;
      case 'opaque':
      case 'ended':
        this.#watching = 'nothing';
        this.#passed = noBytes;
        return true;
      case 'unlikely':
        this.#watching = 'line';
        break;
      case 'more':
        if (this.#watching === 'word') return true;
    }
    this.#passed = Buffer.from(line.subarray(-versionBytes));
    return true;
  }
}
