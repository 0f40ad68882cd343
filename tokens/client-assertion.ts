import { ok, refuse, type Result } from '#runtime/result.ts';
import { requiredId, requiredText, type Audience } from './claims.ts';
import { readClaims, readCompactJws } from './compact-jws.ts';
import type { KeySet } from './jwks.ts';
import type { ClaimProblem, TokenProblem } from './problem.ts';
import { signatureProblem } from './signature.ts';
import type { JsonObject } from './strict-json.ts';
import { acceptedUntilMs, checkTimes, type TimeRules } from './times.ts';

const verified = Symbol('verified client assertion');

/** A client is who it says. Only `verifyClientAssertion` makes one. */
export interface VerifiedClientAssertion {
  readonly clientId: string;
  /** Used once: to be refused when it comes again before `replayableUntilMs` (`createSeenIds`). */
  readonly tokenId: string;
  readonly replayableUntilMs: number;
  readonly [verified]: true;
}

export interface ClientAssertionRules extends TimeRules {
  /** Of the request; its registered keys are `keys`. */
  readonly clientId: string;
  readonly keys: KeySet;
  /** Our issuer identifier, the one audience that is accepted: no URL of an endpoint, no list. */
  readonly issuer: Audience;
}

export const defaultAssertionLifetimeSeconds = 300;

/**
 * Verifies `private_key_jwt` (RFC 7523, section 3, with the audience of its successor): `iss` = `sub` = `client_id`, `aud` our
 * issuer as a plain text, `exp` near, `jti` there. `typ` may be left out, be `JWT` or `client-authentication+jwt`.
 */
export function verifyClientAssertion(
  text: string,
  rules: ClientAssertionRules,
): Result<VerifiedClientAssertion, TokenProblem> {
  const jws = readCompactJws(text);
  if (!jws.ok) return jws;
  const { typ } = jws.value;
  if (typ !== undefined && typ !== 'jwt' && typ !== 'client-authentication+jwt') return refuse('wrong-typ');
  const signature = signatureProblem(jws.value, rules.keys);
  if (signature !== undefined) return refuse(signature);
  const claims = readClaims(jws.value);
  if (!claims.ok) return claims;
  const names = namesProblem(claims.value, rules);
  if (names !== undefined) return refuse(names);
  const times = checkTimes(claims.value, rules, 'optional');
  if (!times.ok) return times;
  const tokenId = requiredId(claims.value);
  if (!tokenId.ok) return tokenId;
  const { clientId } = rules;
  const replayableUntilMs = acceptedUntilMs(times.value, rules);
  return ok(Object.freeze({ clientId, tokenId: tokenId.value, replayableUntilMs, [verified]: true } as const));
}

function namesProblem(claims: JsonObject, rules: ClientAssertionRules): ClaimProblem | undefined {
  const iss = requiredText(claims, 'iss');
  if (!iss.ok) return iss.reason;
  const sub = requiredText(claims, 'sub');
  if (!sub.ok) return sub.reason;
  if (iss.value !== rules.clientId) return 'unknown-issuer';
  if (sub.value !== rules.clientId) return 'wrong-subject';
  const aud = claims.get('aud');
  if (aud === undefined) return 'missing-aud';
  if (typeof aud !== 'string') return 'bad-aud';
  return aud === rules.issuer ? undefined : 'wrong-audience';
}
