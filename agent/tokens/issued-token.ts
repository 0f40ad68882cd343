import { audienceProblem } from '#tokens/claims.ts';
import { readClaims, readCompactJws } from '#tokens/compact-jws.ts';
import { readConfirmation } from '#tokens/confirmation.ts';
import { tokenDueAtMs } from '#tokens/cache-policy.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { KeptToken } from './kept-token.ts';
import type { TokenWish } from './token-wish.ts';

/** What an issuer answered. */
export interface IssuedToken {
  readonly text: string;
  /** From its issue to its end. */
  readonly lifeMs: number;
}

/** Our certificate, and when we asked with it, by our clock. */
export interface Asked {
  readonly thumbprint: string;
  readonly atMs: number;
  /** 0 to 1. */
  readonly random: number;
}

export type IssuedProblem = 'malformed' | 'wrong-audience' | 'other-certificate' | 'no-life';

/** A token that is on its way when it ends is refused: it is not used so shortly before. */
const guardMs = 1_000;

/**
 * Whether an answer is the token that was wished: for this audience alone, so that it is sent to nobody it is not for (S49),
 * and bound to no other certificate than ours. Its times count from our question, whatever the issuer's clock says.
 */
export function readIssuedToken(
  { text, lifeMs }: IssuedToken,
  { audience }: TokenWish,
  { thumbprint, atMs, random }: Asked,
): Result<KeptToken, IssuedProblem> {
  const jws = readCompactJws(text);
  const claims = jws.ok ? readClaims(jws.value) : jws;
  if (!claims.ok) return refuse('malformed');
  if (audienceProblem(claims.value, audience) !== undefined) return refuse('wrong-audience');
  const bound = readConfirmation(claims.value);
  if (!bound.ok) return refuse('malformed');
  const { certificateThumbprint = thumbprint } = bound.value;
  if (certificateThumbprint !== thumbprint || bound.value.dpopThumbprint !== undefined) {
    return refuse('other-certificate');
  }
  if (!(lifeMs > 0) || !Number.isFinite(lifeMs)) return refuse('no-life');
  const expiresAtMs = atMs + lifeMs;
  return ok({
    text,
    issuedAtMs: atMs,
    dueAtMs: tokenDueAtMs({ issuedAtMs: atMs, expiresAtMs }, random),
    usableUntilMs: expiresAtMs - Math.min(guardMs, lifeMs * 0.1),
  });
}
