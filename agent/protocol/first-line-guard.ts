import { noBytes } from '#agent/pipe/no-bytes.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { WrappedPipe } from '#agent/pipe/wrapped-pipe.ts';
import { detectProtocol } from './detect.ts';
import { LineWords } from './line-words.ts';

/**
 * The pipe of a caller that was taken for opaque before its first line was read: because it was silent, or slow, or began
 * as no request does. Should that line turn out to be HTTP after all, the stream is cut before a header passes unread.
 */
export class FirstLineGuard extends WrappedPipe {
  /** What passed, while it may yet be anything. */
  #passed: Buffer = noBytes;
  /** No method began it. */
  #line: LineWords | undefined;
  #isWatching = true;

  constructor(pipe: Pipe) {
    const { reader } = pipe;
    super(pipe);
    this.reader = reader;
  }

  override onBytes(bytes: Buffer): void {
    if (this.#isWatching && !this.#mayPass(bytes)) {
      this.pause();
      return this.cut();
    }
    this.reader.onBytes(bytes);
  }

  #mayPass(bytes: Buffer): boolean {
    const verdict = this.#line === undefined ? this.#detect(bytes) : this.#line.read(bytes);
    this.#isWatching = verdict === 'more';
    return verdict === 'more' || verdict === 'opaque';
  }

  #detect(bytes: Buffer): 'http' | 'http2' | 'opaque' | 'more' {
    const all = Buffer.concat([this.#passed, bytes]);
    this.#passed = all;
    const verdict = detectProtocol(all);
    if (verdict !== 'unlikely') return verdict;
    this.#passed = noBytes;
    this.#line = new LineWords();
    return this.#line.read(all);
  }
}
