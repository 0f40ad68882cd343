import type { PortTokenConfig } from '#agent/config-types.ts';
import type { Clock } from '#runtime/clock.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import {
  checkPresenter,
  verifyAccessToken,
  type PresentedAccessToken,
  type VerifiedAccessToken,
} from '#tokens/access-token.ts';
import { parseAudience, type Audience } from '#tokens/claims.ts';
import { readClaims, readCompactJws } from '#tokens/compact-jws.ts';
import type { Presenter } from '#tokens/confirmation.ts';
import type { TokenProblem } from '#tokens/problem.ts';
import { isJsonArray, type JsonObject } from '#tokens/strict-json.ts';
import { createVerifiedTokens, type VerifiedTokens } from '#tokens/verified-tokens.ts';
import type { KnownKeys } from './known-keys.ts';

export interface TokenJudgeParts {
  readonly keys: KnownKeys;
  readonly clock: Clock;
  /** Us. */
  readonly audience: Audience;
  readonly rules: Pick<PortTokenConfig, 'mode' | 'unbound'>;
  /** A signature was checked and all is good. */
  readonly onVerified: () => void;
}

/** How far clocks of issuers may differ from ours. */
const skewSeconds = 30;
export const tokenSkewMs = skewSeconds * 1_000;
/** Of one audience and thread: about 8 MB at most. */
const remembered = { maxTokens: 10_000, maxLength: 8 * 1024 * 1024, skewSeconds };

/** Judges the access tokens for one audience together with the certificate of the connection that they come on. */
export class TokenJudge {
  readonly audience: Audience;
  readonly #parts: TokenJudgeParts;
  readonly #verified: VerifiedTokens<VerifiedAccessToken> = createVerifiedTokens(remembered);

  constructor(parts: TokenJudgeParts) {
    this.#parts = parts;
    this.audience = parts.audience;
  }

  /** Verdicts of another epoch are no good any more. */
  get epoch(): number {
    return this.#parts.keys.epoch;
  }

  /** At once: a token that was seen before costs a look into a Map and a comparison (S76). */
  judge(text: string, presenter: Presenter): Result<PresentedAccessToken, TokenProblem> {
    const { keys, clock, rules } = this.#parts;
    const nowMs = clock.now();
    const known = this.#verified.get(text, nowMs, keys.epoch);
    if (known !== undefined) return checkPresenter(known, presenter, rules.unbound);
    const verified = this.#verify(text, nowMs);
    if (!verified.ok) return verified;
    this.#parts.onVerified();
    this.#verified.put(text, verified.value, keys.epoch);
    return checkPresenter(verified.value, presenter, rules.unbound);
  }

  /**
   * The token of a request that was admitted and still runs, by the keys as they stand now. It was the presenter's then,
   * and the connection is still that peer's. `keep`: it may have expired since.
   */
  recheck(text: string, whenExpired: 'keep' | 'end'): Result<PresentedAccessToken, TokenProblem> {
    const { keys, clock } = this.#parts;
    const nowMs = clock.now();
    const known = this.#verified.get(text, nowMs, keys.epoch);
    const verified = known === undefined ? this.#verify(text, nowMs) : ok(known);
    if (verified.ok) return stillPresented(verified.value);
    if (verified.reason !== 'expired' || whenExpired === 'end') return verified;
    const lastMs = expiryOf(text) - 1;
    const then = this.#verify(text, lastMs);
    return then.ok ? stillPresented(then.value) : then;
  }

  /** For a token that was refused as `unknown-kid`: when it is worth another look (S78). */
  awaitKeys(text: string): Promise<void> | undefined {
    const iss = claimsOf(text)?.get('iss');
    return typeof iss === 'string' ? this.#parts.keys.awaitKeys(iss) : undefined;
  }

  #verify(text: string, nowMs: number): Result<VerifiedAccessToken, TokenProblem> {
    const { keys, rules } = this.#parts;
    const demands = { issuers: keys.issuers, audience: this.audience, nowMs, skewSeconds };
    const verified = verifyAccessToken(text, demands);
    if (verified.ok || verified.reason !== 'wrong-audience' || rules.mode !== 'audit-only') return verified;
    const theirs = audienceOf(text);
    return theirs === undefined ? refuse('wrong-audience') : verifyAccessToken(text, { ...demands, audience: theirs });
  }
}

/** By whomever it was bound to when it was admitted. */
function stillPresented(token: VerifiedAccessToken): Result<PresentedAccessToken, TokenProblem> {
  const { certificateThumbprint, dpopThumbprint } = token;
  return checkPresenter(token, { certificateThumbprint, dpopThumbprint }, 'accept');
}

/** Of a token whose signature was good. */
function audienceOf(text: string): Audience | undefined {
  const aud = claimsOf(text)?.get('aud');
  const only = isJsonArray(aud) ? aud[0] : aud;
  const audience = typeof only === 'string' ? parseAudience(only) : undefined;
  return audience?.ok === true ? audience.value : undefined;
}

function expiryOf(text: string): number {
  const exp = claimsOf(text)?.get('exp');
  return typeof exp === 'number' ? exp * 1_000 : 0;
}

function claimsOf(text: string): JsonObject | undefined {
  const jws = readCompactJws(text);
  const claims = jws.ok ? readClaims(jws.value) : undefined;
  return claims?.ok === true ? claims.value : undefined;
}
