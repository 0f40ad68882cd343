import { ok, refuse, type Result } from '#runtime/result.ts';
import { readAccessClaims, type AccessClaims } from './access-claims.ts';
import { looksLikeIdToken, type Audience } from './claims.ts';
import { readClaims, readCompactJws, type CompactJws } from './compact-jws.ts';
import { presenterProblem, type Presenter, type UnboundTokens } from './confirmation.ts';
import type { ClaimProblem, PresenterProblem, TokenProblem } from './problem.ts';
import { signatureProblem } from './signature.ts';
import type { JsonObject } from './strict-json.ts';
import type { TrustedIssuer, TrustedIssuers } from './trusted-issuer.ts';

const verified = Symbol('verified access token');
const presented = Symbol('presented access token');

/** Signature, issuer, audience and times were good. Who shows it is still to be asked. Only `verifyAccessToken` makes one. */
export interface VerifiedAccessToken extends AccessClaims {
  readonly kid: string;
  readonly [verified]: true;
}

/** A verified token, shown by whom it was issued to: what a policy may look at. Only `checkPresenter` makes one. */
export interface PresentedAccessToken extends VerifiedAccessToken {
  readonly [presented]: true;
}

export interface AccessTokenRules {
  readonly issuers: TrustedIssuers;
  /** Us. */
  readonly audience: Audience;
  readonly nowMs: number;
  readonly skewSeconds: number;
}

/**
 * Verifies an access token (RFC 9068, section 4): form, type, issuer, key, signature, then each claim. What it answers holds for
 * any connection until `expiresAtMs`, so it may be remembered (`createVerifiedTokens`).
 */
export function verifyAccessToken(text: string, rules: AccessTokenRules): Result<VerifiedAccessToken, TokenProblem> {
  const jws = readCompactJws(text);
  if (!jws.ok) return jws;
  if (jws.value.typ !== 'at+jwt' && jws.value.typ !== 'jwt') return refuse('wrong-typ');
  const claims = readClaims(jws.value);
  if (!claims.ok) return claims;
  const issuer = issuerOf(claims.value, rules.issuers);
  if (!issuer.ok) return issuer;
  const problem = typProblem(jws.value, claims.value, issuer.value) ?? signatureProblem(jws.value, issuer.value.keys);
  if (problem !== undefined) return refuse(problem);
  const read = readAccessClaims(claims.value, issuer.value, rules);
  if (!read.ok) return read;
  return ok(Object.freeze({ ...read.value, kid: jws.value.kid ?? '', [verified]: true } as const));
}

/** Whether this token is the presenter's. To be asked for every request, however the token was verified. */
export function checkPresenter(
  token: VerifiedAccessToken,
  presenter: Presenter,
  unboundTokens: UnboundTokens,
): Result<PresentedAccessToken, PresenterProblem> {
  const problem = presenterProblem(token, presenter, unboundTokens);
  return problem === undefined ? ok(token as PresentedAccessToken) : refuse(problem); // the only cast to it
}

function issuerOf(claims: JsonObject, issuers: TrustedIssuers): Result<TrustedIssuer, ClaimProblem> {
  const iss = claims.get('iss');
  if (iss === undefined) return refuse('missing-iss');
  if (typeof iss !== 'string') return refuse('bad-iss');
  const issuer = issuers.get(iss);
  return issuer ? ok(issuer) : refuse('unknown-issuer');
}

function typProblem(jws: CompactJws, claims: JsonObject, issuer: TrustedIssuer): 'wrong-typ' | undefined {
  if (jws.typ !== issuer.typ.toLowerCase()) return 'wrong-typ';
  return issuer.typ === 'JWT' && looksLikeIdToken(claims) ? 'wrong-typ' : undefined;
}
