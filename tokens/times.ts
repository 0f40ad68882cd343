import { ok, refuse, type Result } from '#runtime/result.ts';
import type { ClaimProblem } from './problem.ts';
import type { JsonObject } from './strict-json.ts';

export interface TimeRules {
  readonly nowMs: number;
  /** How far clocks may differ. Whatever is asked, at most 30 s are granted. */
  readonly skewSeconds: number;
  /** From `iat` to `exp`, at most (S51). */
  readonly maxLifetimeSeconds: number;
}

/** When a token holds. Skew is not in it (`acceptedUntilMs`). */
export interface Validity {
  readonly issuedAtMs: number | undefined;
  readonly expiresAtMs: number;
}

const maxSkewSeconds = 30;
export const defaultLifetimeSeconds = 300;
/** End of the year 9999. */
const maxNumericDate = 253_402_300_799;

/**
 * `exp`, `iat` and `nbf` (RFC 7519, section 4.1) at a given time, whole seconds only (A15). Without `iat`, where a kind allows
 * that, the lifetime counts from now.
 */
export function checkTimes(
  claims: JsonObject,
  rules: TimeRules,
  iatIs: 'required' | 'optional',
): Result<Validity, ClaimProblem> {
  const exp = claims.get('exp');
  const iat = claims.get('iat');
  const nbf = claims.get('nbf');
  if (exp === undefined) return refuse('missing-exp');
  if (iat === undefined && iatIs === 'required') return refuse('missing-iat');
  if (!isNumericDate(exp)) return refuse('bad-exp');
  if (iat !== undefined && !isNumericDate(iat)) return refuse('bad-iat');
  if (nbf !== undefined && !isNumericDate(nbf)) return refuse('bad-nbf');
  const nowSeconds = rules.nowMs / 1000;
  const skew = skewOf(rules);
  if (iat !== undefined && exp <= iat) return refuse('bad-exp');
  if (nowSeconds >= exp + skew) return refuse('expired');
  if (iat !== undefined && iat > nowSeconds + skew) return refuse('issued-in-the-future');
  if (nbf !== undefined && nbf > nowSeconds + skew) return refuse('not-yet-valid');
  const lifetime = iat === undefined ? exp - nowSeconds - skew : exp - iat;
  if (lifetime > rules.maxLifetimeSeconds) return refuse('lifetime-too-long');
  return ok({ issuedAtMs: iat === undefined ? undefined : iat * 1000, expiresAtMs: exp * 1000 });
}

/** `exp` and the skew: from then on `checkTimes` says `expired`. */
export function acceptedUntilMs(
  validity: Pick<Validity, 'expiresAtMs'>,
  rules: Pick<TimeRules, 'skewSeconds'>,
): number {
  return validity.expiresAtMs + skewOf(rules) * 1000;
}

export function skewOf({ skewSeconds }: Pick<TimeRules, 'skewSeconds'>): number {
  return Math.max(0, Math.min(skewSeconds, maxSkewSeconds));
}

function isNumericDate(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= maxNumericDate;
}
