import type { AskToken, KeptToken, TokenLack } from '#agent/tokens/kept-token.ts';
import type { Result } from '#runtime/result.ts';
import type { WorkerMessage } from './worker-calls.ts';

/** The main thread as whom a worker asks for tokens. */
export class MainThreadTokens {
  readonly #post: (message: WorkerMessage) => void;
  readonly #waiting = new Map<number, (result: Result<KeptToken, TokenLack>) => void>();
  #lastId = 0;

  constructor(post: (message: WorkerMessage) => void) {
    this.#post = post;
  }

  readonly ask: AskToken = (thumbprint, wish) => {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#post({ kind: 'token-wanted', id, thumbprint, wish });
    });
  };

  take(id: number, result: Result<KeptToken, TokenLack>): void {
    this.#waiting.get(id)?.(result);
    this.#waiting.delete(id);
  }
}
