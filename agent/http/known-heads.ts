import type { RequestHead } from './head.ts';
import { isSecretName } from './header-field.ts';
import { LastHead } from './last-head.ts';

/**
 * The heads that a connection's requests are likely to repeat. The first one of each connection is kept once for all
 * that share a `common` memory, and read under the same limits: callers that open a connection for each request repeat
 * themselves too, and most idle connections need no memory of their own. Only what differs is, and what holds secrets:
 * that is forgotten with its connection.
 */
export class KnownHeads {
  readonly #common: LastHead<RequestHead> | undefined;
  #own: LastHead<RequestHead> | undefined;
  #isFirst = true;

  constructor(common: LastHead<RequestHead> | undefined) {
    this.#common = common;
  }

  /** Whether there is something of this connection's own to forget. */
  get holdsOwn(): boolean {
    return this.#own?.head !== undefined;
  }

  /** The memory of the head that begins at `at`. */
  find(bytes: Buffer, at: number): LastHead<RequestHead> | undefined {
    if (this.#own?.isAt(bytes, at)) return this.#own;
    return this.#common?.isAt(bytes, at) ? this.#common : undefined;
  }

  /** Its bytes lie in `bytes` from `from` to `to`; they are copied. */
  keep(head: RequestHead, bytes: Buffer, { from, to }: { readonly from: number; readonly to: number }): void {
    const isCommon = this.#isFirst && this.#common !== undefined && !holdsSecret(head);
    this.#isFirst = false;
    const last = isCommon ? this.#common : (this.#own ??= new LastHead());
    last.keep(head, bytes, from, to);
  }

  forgetOwn(): void {
    this.#own = undefined;
  }
}

function holdsSecret({ headers }: RequestHead): boolean {
  return headers.some(({ name }) => isSecretName(name));
}
