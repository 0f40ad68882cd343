import type { SpiffeId } from '#certs/spiffe-id.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { audienceProblem, looksLikeIdToken, requiredText, type Audience } from './claims.ts';
import { readClaims, readCompactJws } from './compact-jws.ts';
import type { KeySet } from './jwks.ts';
import type { ClaimProblem, TokenProblem } from './problem.ts';
import { signatureProblem } from './signature.ts';
import type { JsonObject } from './strict-json.ts';
import { spiffeIdOf } from './subjects.ts';
import { checkTimes, type TimeRules, type Validity } from './times.ts';

const verified = Symbol('verified JWT-SVID');

/** Only `verifyJwtSvid` makes one. */
export interface VerifiedJwtSvid extends Validity {
  readonly spiffeId: SpiffeId;
  readonly audience: Audience;
  readonly kid: string;
  readonly claims: JsonObject;
  readonly [verified]: true;
}

export interface JwtSvidRules extends TimeRules {
  readonly trustDomain: string;
  /** Of the trust domain's bundle: `readKeySet` with `use: 'jwt-svid'`. */
  readonly keys: KeySet;
  readonly audience: Audience;
}

/**
 * Verifies a JWT-SVID (SPIFFE, JWT-SVID.md): `typ` `JWT`, `JOSE` or none, no further header, `sub` a SPIFFE ID of the trust
 * domain, one audience. Whoever names itself as issuer and subject shows a client assertion, not an SVID.
 */
export function verifyJwtSvid(text: string, rules: JwtSvidRules): Result<VerifiedJwtSvid, TokenProblem> {
  const jws = readCompactJws(text, { header: 'minimal' });
  if (!jws.ok) return jws;
  const { typ, kid = '' } = jws.value;
  if (typ !== undefined && typ !== 'jwt' && typ !== 'jose') return refuse('wrong-typ');
  const signature = signatureProblem(jws.value, rules.keys);
  if (signature !== undefined) return refuse(signature);
  const claims = readClaims(jws.value);
  if (!claims.ok) return claims;
  if (looksLikeIdToken(claims.value)) return refuse('wrong-typ');
  const read = readJwtSvidClaims(claims.value, rules);
  return read.ok ? ok(Object.freeze({ ...read.value, kid, claims: claims.value, [verified]: true } as const)) : read;
}

/** The rules for claims alone, which mint asks as well. */
export function readJwtSvidClaims(
  claims: JsonObject,
  rules: Omit<JwtSvidRules, 'keys'>,
): Result<Validity & Pick<VerifiedJwtSvid, 'spiffeId' | 'audience'>, ClaimProblem> {
  const sub = requiredText(claims, 'sub');
  if (!sub.ok) return sub;
  const spiffeId = spiffeIdOf(sub.value, rules.trustDomain);
  if (spiffeId === undefined) return refuse('wrong-subject');
  if (claims.get('iss') === sub.value) return refuse('bad-iss');
  const audience = audienceProblem(claims, rules.audience);
  if (audience !== undefined) return refuse(audience);
  const times = checkTimes(claims, rules, 'optional');
  return times.ok ? ok({ spiffeId, audience: rules.audience, ...times.value }) : times;
}
