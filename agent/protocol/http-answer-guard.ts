import { noBytes } from '#agent/pipe/no-bytes.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { WrappedPipe } from '#agent/pipe/wrapped-pipe.ts';

const answer = Buffer.from('HTTP/', 'latin1');

/**
 * The far end of a stream that was taken for opaque by its caller's first bytes. No reading of those is as lax as every
 * server's: one that answers in HTTP has taken them for a request, with headers that nobody has looked at. It is cut
 * before the caller hears a word of that.
 */
export class HttpAnswerGuard extends WrappedPipe {
  readonly #onHttp: () => void;
  /** The beginning of its first word. */
  #held: Buffer = noBytes;
  #isWatching = true;

  constructor(pipe: Pipe, onHttp: () => void) {
    super(pipe);
    this.#onHttp = onHttp;
  }

  override onBytes(bytes: Buffer): void {
    if (!this.#isWatching) return this.reader.onBytes(bytes);
    const all = Buffer.concat([this.#held, bytes]);
    const length = Math.min(all.length, answer.length);
    if (all.compare(answer, 0, length, 0, length) !== 0) return this.#pass(all);
    this.#held = all;
    if (length < answer.length) return undefined;
    this.#onHttp();
    this.pause();
    return this.cut();
  }

  override onEnd(): void {
    if (this.#held.length > 0) this.#pass(this.#held);
    super.onEnd();
  }

  #pass(bytes: Buffer): void {
    this.#isWatching = false;
    this.#held = noBytes;
    this.reader.onBytes(bytes);
  }
}
