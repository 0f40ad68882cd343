import type { Pipe } from '#agent/pipe/pipe.ts';
import type { HeaderField } from './header-field.ts';
import { writeFieldLines } from './write.ts';

/** `wait`: the pipe has room again after its `onDrain`. `too-long`: more than was announced; nothing was written. */
export type Written = 'go-on' | 'wait' | 'too-long';

/** Writes bodies anew, one after another, and sees that they are as long as was announced. */
export class BodyWriter {
  /** Of the current body, without framing. */
  bytes = 0;
  readonly #pipe: Pipe;
  #as: 'plain' | 'chunked' = 'plain';
  #announced = 0;

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
  }

  /** `announced` bytes will follow (Infinity: until the stream's end); `chunked`: however many. */
  begin(announced: number | 'chunked'): void {
    this.bytes = 0;
    this.#as = announced === 'chunked' ? 'chunked' : 'plain';
    this.#announced = announced === 'chunked' ? Infinity : announced;
  }

  data(bytes: Buffer): Written {
    this.bytes += bytes.length;
    if (this.bytes > this.#announced) return 'too-long';
    if (this.#as === 'plain') return this.#pipe.write(bytes) ? 'go-on' : 'wait';
    if (bytes.length === 0) return 'go-on'; // an empty chunk would end the body
    this.#pipe.writeText(`${bytes.length.toString(16)}\r\n`);
    this.#pipe.write(bytes);
    return this.#pipe.writeText('\r\n') ? 'go-on' : 'wait';
  }

  /** `too-short`: less than was announced; the message must not look whole. Trailers go where they can. */
  end(trailers: readonly HeaderField[]): 'whole' | 'too-short' {
    if (this.#as === 'chunked') {
      this.#pipe.writeText(trailers.length === 0 ? '0\r\n\r\n' : `0\r\n${writeFieldLines(trailers)}\r\n`);
      return 'whole';
    }
    return this.#announced === Infinity || this.bytes === this.#announced ? 'whole' : 'too-short';
  }
}
