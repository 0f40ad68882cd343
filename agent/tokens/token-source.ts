import { createLabelledCounter, type LabelledCounter } from '#agent/admin/labelled-counter.ts';
import type { AgentEmit } from '#agent/events.ts';
import type { Identity, IdentityStore } from '#agent/identity/store.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { readIssuedToken, type IssuedToken } from './issued-token.ts';
import type { KeptToken, TokenLack } from './kept-token.ts';
import { maxTokens, TokenCache } from './token-cache.ts';
import type { TokenWish } from './token-wish.ts';

/** Asks one issuer by this certificate. Throws when it does not answer. `refused`: its word for why, of RFC 6749's form. */
export type Exchange = (
  identity: Pick<Identity, 'svid' | 'privateKey'>,
  wish: TokenWish,
  options: { readonly deadlineMs: number; readonly signal: AbortSignal },
) => Promise<Result<IssuedToken, { readonly refused: string }>>;

export interface TokenSourceParts {
  readonly store: IdentityStore;
  /** Of the issuer with this name; undefined: of the control plane. Throws where there is none. */
  readonly exchangeAt: (issuer: string | undefined) => Exchange;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: AgentEmit;
  /** Ends all calls. */
  readonly signal: AbortSignal;
}

/** What metrics tell. */
export interface TokenFacts {
  /** By the issuer's name and what came of it. */
  readonly exchanges: LabelledCounter;
  /** That can be used now. */
  readonly kept: number;
  /** 0 without one. */
  readonly oldestMs: number;
  /** Until the first of them cannot be used any more; 0 without one. */
  readonly soonestEndMs: number;
}

const exchangeMs = 5_000;
/** Certificates of ours that tokens are still asked with: connections made with them may live on. */
const maxIdentities = 8;

/** Where the agent's tokens come from: the one place that asks issuers, however many threads use them (S20). */
export class TokenSource {
  readonly cache: TokenCache;
  readonly #parts: TokenSourceParts;
  readonly #identities = new Map<string, Identity>();
  readonly #exchanges = createLabelledCounter();

  constructor(parts: TokenSourceParts) {
    this.#parts = parts;
    const { clock, random, emit, store } = parts;
    this.cache = new TokenCache({
      clock,
      random,
      maxTokens,
      ask: (thumbprint, wish) => this.#ask(thumbprint, wish),
      onFailed({ wish, problem: reason, detail, failures, retryInMs, validForMs }) {
        const issuer = nameOf(wish.issuer);
        emit({
          event: 'token.failed',
          issuer,
          audience: wish.audience,
          reason,
          detail,
          failures,
          retryInMs,
          validForMs,
        });
      },
    });
    store.subscribe((snapshot) => this.#know(snapshot));
    const current = store.current();
    if (current !== undefined) this.#know(current);
  }

  /** Gets the tokens in use for an identity that is about to be published; at most `ms`. */
  async prepare(next: Identity, ms: number): Promise<void> {
    this.#know(next);
    await this.cache.prepare(next.svid.thumbprint, ms);
  }

  facts(): TokenFacts {
    const now = this.#parts.clock.now();
    const tokens = this.cache.usable;
    const oldest = Math.min(...tokens.map(({ issuedAtMs }) => issuedAtMs));
    const soonest = Math.min(...tokens.map(({ usableUntilMs }) => usableUntilMs));
    return {
      exchanges: this.#exchanges,
      kept: tokens.length,
      oldestMs: tokens.length === 0 ? 0 : now - oldest,
      soonestEndMs: tokens.length === 0 ? 0 : soonest - now,
    };
  }

  #know(identity: Identity): void {
    const { thumbprint } = identity.svid;
    this.#identities.delete(thumbprint); // to be the youngest
    this.#identities.set(thumbprint, identity);
    const [oldest] = this.#identities.keys();
    if (this.#identities.size > maxIdentities) this.#identities.delete(oldest!);
  }

  async #ask(thumbprint: string, wish: TokenWish): Promise<Result<KeptToken, TokenLack>> {
    const { clock, random } = this.#parts;
    const identity = this.#identities.get(thumbprint);
    const now = clock.now();
    if (identity === undefined || now >= identity.svid.notAfterMs) {
      return this.#failed(wish, { problem: 'no-token', detail: 'certificate-gone' });
    }
    const answer = await this.#exchange(identity, wish);
    if (!answer.ok) return this.#failed(wish, answer.reason);
    const read = readIssuedToken(answer.value, wish, { thumbprint, atMs: now, random: random() });
    if (!read.ok) return this.#failed(wish, { problem: 'token-unusable', detail: read.reason });
    this.#count(wish, 'issued');
    this.#parts.emit({
      event: 'token.issued',
      issuer: nameOf(wish.issuer),
      audience: wish.audience,
      lifeMs: answer.value.lifeMs,
    });
    return ok(read.value);
  }

  async #exchange(identity: Identity, wish: TokenWish): Promise<Result<IssuedToken, TokenLack>> {
    const { exchangeAt, signal } = this.#parts;
    try {
      const answer = await exchangeAt(wish.issuer)(identity, wish, { deadlineMs: exchangeMs, signal });
      return answer.ok ? answer : refuse({ problem: 'token-not-issued', detail: answer.reason.refused });
    } catch (error) {
      return refuse({ problem: 'no-token', detail: codeOf(error) });
    }
  }

  #failed(wish: TokenWish, lack: TokenLack): Result<never, TokenLack> {
    this.#count(wish, lack.problem);
    return refuse(lack);
  }

  #count({ issuer }: TokenWish, result: TokenLack['problem'] | 'issued'): void {
    this.#exchanges.add(`${nameOf(issuer)} ${result}`);
  }
}

/** In logs and metrics. */
function nameOf(issuer: string | undefined): string {
  return issuer ?? 'control-plane';
}

/** Never its message: that may quote what was said. */
function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,49}$/.test(code) ? code : 'FAILED';
}
