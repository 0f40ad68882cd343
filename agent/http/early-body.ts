import type { HeaderField } from './header-field.ts';
import type { RequestSink } from './message.ts';

/** What arrived of a body before there was anybody to give it to: at most a window's worth, copied. */
export class EarlyBody {
  trailers: readonly HeaderField[] = [];
  readonly #pieces: Buffer[] = [];

  data(bytes: Buffer): void {
    this.#pieces.push(Buffer.from(bytes));
  }

  /** Gives all its bytes; false when no more should follow for now. */
  giveTo(sink: Pick<RequestSink, 'data'>): boolean {
    let takesMore = true;
    for (const piece of this.#pieces) takesMore = sink.data(piece);
    return takesMore;
  }
}
