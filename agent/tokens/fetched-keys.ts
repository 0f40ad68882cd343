import type { Clock, Random } from '#runtime/clock.ts';
import type { Result } from '#runtime/result.ts';
import { isUsable, onKid, refreshDueAtMs, restMsOf, type FetchHistory, type FetchTimes } from '#tokens/cache-policy.ts';
import type { IssuerBook } from './issuer-book.ts';
import type { FetchAnswers } from './issuer-keys.ts';

export interface FetchedKeysParts {
  readonly book: IssuerBook;
  readonly times: FetchTimes;
  readonly fetch: (signal: AbortSignal) => Promise<Result<Buffer, string>>;
  readonly clock: Clock;
  readonly random: Random;
  /** A fetch is over, or was not granted. */
  readonly onAnswer: () => void;
}

/**
 * Fetches the keys of one issuer: unasked, ahead of time; and for a token with a key that nobody knows, where the last
 * fetch is long enough ago, whatever came of it (A5, A6, S78). While fetches fail the last good keys stay, within a bound.
 */
export class FetchedKeys {
  readonly #parts: FetchedKeysParts;
  #history: FetchHistory = { fetchedAtMs: undefined, triedAtMs: undefined, failures: 0, isFetching: false };
  #dueAtMs = -Infinity;
  #wake = Promise.withResolvers<void>();
  #isWanted = false;
  #answered = 0;

  constructor(parts: FetchedKeysParts) {
    this.#parts = parts;
  }

  answers(): FetchAnswers {
    const { clock, times } = this.#parts;
    return { answered: this.#answered, restMs: restMsOf(this.#history, clock.monotonic(), times) };
  }

  /** A token names a key that nobody knows. */
  wanted(): void {
    const { clock, times } = this.#parts;
    if (this.#isWanted || this.#history.isFetching) return; // the answer is on its way
    if (onKid('unknown', this.#history, clock.monotonic(), times) !== 'fetch') return this.#answer();
    this.#isWanted = true;
    this.#wake.resolve();
  }

  /** Runs until the signal aborts, then throws its reason. */
  async run(signal: AbortSignal): Promise<never> {
    const { clock } = this.#parts;
    for (;;) {
      signal.throwIfAborted();
      const nowMs = clock.monotonic();
      if (this.#isWanted || nowMs >= this.#dueAtMs) await this.#fetch(signal);
      else await this.#sleep(Math.min(this.#dueAtMs, this.#staleAtMs) - nowMs, signal);
      this.#wake = Promise.withResolvers();
      if (this.#isWanted) continue;
      if (!isUsable(this.#history, clock.monotonic(), this.#parts.times)) {
        this.#parts.book.drop('the last good keys are too old');
      }
    }
  }

  get #staleAtMs(): number {
    const { fetchedAtMs } = this.#history;
    if (fetchedAtMs === undefined || this.#parts.book.document === undefined) return Infinity;
    return fetchedAtMs + this.#parts.times.staleMs;
  }

  async #fetch(signal: AbortSignal): Promise<void> {
    const { book, times, fetch, clock, random } = this.#parts;
    const triedAtMs = clock.monotonic();
    this.#history = { ...this.#history, triedAtMs, isFetching: true };
    this.#isWanted = false;
    const fetched = await fetch(signal);
    signal.throwIfAborted();
    const taken = fetched.ok ? book.take(fetched.value) : book.refused(fetched.reason);
    const { failures, fetchedAtMs } = this.#history;
    this.#history = taken.ok
      ? { triedAtMs, fetchedAtMs: triedAtMs, failures: 0, isFetching: false }
      : { triedAtMs, fetchedAtMs, failures: failures + 1, isFetching: false };
    this.#dueAtMs = refreshDueAtMs(this.#history, times, random());
    this.#answer();
  }

  #answer(): void {
    this.#answered += 1;
    this.#parts.onAnswer();
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const enough = new AbortController();
    const sleep = this.#parts.clock.sleep(ms, AbortSignal.any([signal, enough.signal])).catch(() => undefined);
    await Promise.race([sleep, this.#wake.promise]);
    enough.abort();
    await sleep;
  }
}
