import type { AttachProblem } from '#agent/http/attachment.ts';
import { backoffMs } from '#runtime/backoff.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { AskToken, KeptToken, TokenLack } from './kept-token.ts';
import type { TokenWish } from './token-wish.ts';

/** How one attempt to get a token failed. */
export interface TokenFailure extends TokenLack {
  readonly wish: TokenWish;
  /** In a row. */
  readonly failures: number;
  readonly retryInMs: number;
  /** How long the last good one still serves. */
  readonly validForMs: number;
}

export interface TokenCacheParts {
  readonly ask: AskToken;
  readonly clock: Clock;
  readonly random: Random;
  readonly onFailed: (failure: TokenFailure) => void;
  /** Tokens and attempts at them that are kept. */
  readonly maxTokens: number;
}

interface Entry {
  readonly thumbprint: string;
  readonly wish: TokenWish;
  token: KeptToken | undefined;
  lack: AttachProblem | undefined;
  failures: number;
  /** Monotonic: nobody is asked before. */
  nextAskMs: number;
  flight: Promise<void> | undefined;
}

/** Tokens that an agent keeps: what its routes use, by two certificates while they change. */
export const maxTokens = 4_096;
const retry = { baseMs: 250, maxMs: 30_000 };
/** Whatever the answer said: not more often than this for one token. */
const askAgainMs = 1_000;

/**
 * Tokens by our own certificate and by what is wished. Each is asked for once at a time, its successor ahead of need when
 * somebody uses it; what fails is asked for ever more rarely, and the last good one serves until its end. Bounded: what
 * does not fit is refused (A70).
 */
export class TokenCache {
  readonly #parts: TokenCacheParts;
  readonly #entries = new Map<string, Entry>();

  constructor(parts: TokenCacheParts) {
    this.#parts = parts;
  }

  /** Those that can be used now. */
  get usable(): readonly KeptToken[] {
    const now = this.#parts.clock.now();
    const tokens = [...this.#entries.values()].map(({ token }) => token);
    return tokens.filter((token) => token !== undefined && now < token.usableUntilMs) as KeptToken[];
  }

  /** A token that can be used now. */
  find(thumbprint: string, wish: TokenWish): KeptToken | undefined {
    const entry = this.#entries.get(keyOf(thumbprint, wish));
    const token = entry?.token;
    const now = this.#parts.clock.now();
    if (entry === undefined || token === undefined || now >= token.usableUntilMs) return undefined;
    if (now >= token.dueAtMs) void this.#ask(entry);
    return token;
  }

  /** The same, waiting for it at most `ms`. */
  async obtain(thumbprint: string, wish: TokenWish, ms: number): Promise<Result<KeptToken, AttachProblem>> {
    const { clock } = this.#parts;
    const giveUpMs = clock.monotonic() + ms;
    for (;;) {
      const token = this.find(thumbprint, wish);
      if (token !== undefined) return ok(token);
      const entry = this.#entryOf(thumbprint, wish);
      if (entry === undefined) return refuse('too-many-tokens');
      const leftMs = giveUpMs - clock.monotonic();
      const asking = this.#ask(entry);
      if (asking !== undefined) {
        if ((await within(asking, leftMs, clock)) === 'late') return refuse(entry.lack ?? 'no-token');
        continue;
      }
      const pauseMs = entry.nextAskMs - clock.monotonic();
      if (pauseMs >= leftMs || entry.lack === 'token-not-issued') return refuse(entry.lack ?? 'no-token');
      await clock.sleep(pauseMs);
    }
  }

  /** The successor of one that is due, if it can be had within `ms`; what serves until then otherwise. */
  async renewed(thumbprint: string, wish: TokenWish, ms: number): Promise<Result<KeptToken, AttachProblem>> {
    const token = this.find(thumbprint, wish);
    const { clock } = this.#parts;
    const entry = this.#entryOf(thumbprint, wish);
    if (token !== undefined && entry !== undefined && clock.now() >= token.dueAtMs) {
      const asking = this.#ask(entry);
      if (asking !== undefined) await within(asking, ms, clock);
    }
    return this.obtain(thumbprint, wish, ms);
  }

  /** What is in use with any certificate, for this one too. Resolves when all of it is there or cannot be had. */
  async prepare(thumbprint: string, ms: number): Promise<void> {
    this.#sweep();
    const now = this.#parts.clock.now();
    const wishes = new Map<string, TokenWish>();
    for (const { token, wish } of this.#entries.values()) {
      if (token !== undefined && now < token.usableUntilMs) wishes.set(wish.key, wish);
    }
    await Promise.all([...wishes.values()].map((wish) => this.obtain(thumbprint, wish, ms)));
  }

  #entryOf(thumbprint: string, wish: TokenWish): Entry | undefined {
    const key = keyOf(thumbprint, wish);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    if (this.#entries.size >= this.#parts.maxTokens) this.#sweep();
    if (this.#entries.size >= this.#parts.maxTokens) return undefined;
    const nothing = { token: undefined, lack: undefined, failures: 0, nextAskMs: -Infinity, flight: undefined };
    const entry = { thumbprint, wish, ...nothing };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Undefined: not yet again. */
  #ask(entry: Entry): Promise<void> | undefined {
    if (entry.flight !== undefined) return entry.flight;
    if (this.#parts.clock.monotonic() < entry.nextAskMs) return undefined;
    entry.flight = this.#askNow(entry).finally(() => {
      entry.flight = undefined;
    });
    return entry.flight;
  }

  async #askNow(entry: Entry): Promise<void> {
    const { ask, clock, random, onFailed } = this.#parts;
    const { thumbprint, wish } = entry;
    const answer = await ask(thumbprint, wish);
    if (answer.ok) {
      entry.token = answer.value;
      entry.lack = undefined;
      entry.failures = 0;
      entry.nextAskMs = clock.monotonic() + askAgainMs;
      return;
    }
    const retryInMs = Math.round(backoffMs(entry.failures, retry, random()));
    entry.failures += 1;
    entry.lack = answer.reason.problem;
    entry.nextAskMs = clock.monotonic() + retryInMs;
    const validForMs = Math.max(0, (entry.token?.usableUntilMs ?? 0) - clock.now());
    onFailed({ ...answer.reason, wish, failures: entry.failures, retryInMs, validForMs });
  }

  /** Forgets what serves nobody any more. */
  #sweep(): void {
    const { clock } = this.#parts;
    const now = clock.now();
    for (const [key, { token, flight, nextAskMs }] of this.#entries) {
      const isAlive = token !== undefined && now < token.usableUntilMs;
      if (!isAlive && flight === undefined && clock.monotonic() >= nextAskMs) this.#entries.delete(key);
    }
  }
}

function keyOf(thumbprint: string, { key }: TokenWish): string {
  return `${thumbprint} ${key}`;
}

async function within(work: Promise<void>, ms: number, clock: Clock): Promise<'done' | 'late'> {
  const done = new AbortController();
  const late = clock.sleep(Math.max(0, ms), done.signal).then(
    () => 'late' as const,
    () => 'done' as const,
  );
  const first = await Promise.race([work.then(() => 'done' as const), late]);
  done.abort();
  return first;
}
