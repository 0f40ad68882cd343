import { ok, refuse, type Result } from '#runtime/result.ts';
import { proofAlgorithms } from './algorithms.ts';
import { optionalText, requiredText } from './claims.ts';
import { readClaims, readCompactJws } from './compact-jws.ts';
import { importJwk, type VerificationKey } from './jwk.ts';
import type { KeySet } from './jwks.ts';
import type { ClaimProblem, TokenProblem } from './problem.ts';
import { signatureProblem } from './signature.ts';
import { isJsonObject, type JsonObject } from './strict-json.ts';
import { workloadOf, type WorkloadDomain } from './subjects.ts';
import { checkTimes, type TimeRules, type Validity } from './times.ts';

const verified = Symbol('verified WIT');

/** Worth nothing without a proof made with `key`. Only `verifyWit` makes one. */
export interface VerifiedWit extends Validity {
  /** The workload's identifier, `spiffe://…` or `wimse://…`. */
  readonly subject: string;
  /** `cnf.jwk`. */
  readonly key: VerificationKey;
  readonly kid: string;
  /** The token itself, which a proof names by its hash. */
  readonly text: string;
  readonly [verified]: true;
}

export interface WitRules extends TimeRules {
  /** Whose workloads `keys` vouch for; a WIT's `iss` is never asked for keys. */
  readonly domain: WorkloadDomain;
  /** For SPIFFE: `readKeySet` with `use: 'wit-svid'`. */
  readonly keys: KeySet;
}

/** WITs are renewed in hours (WIMSE workload credentials, section 3.1). */
export const defaultWitLifetimeSeconds = 3_600;

/** Verifies a Workload Identity Token (WIMSE; WIT-SVID of SPIFFE): `wit+jwt`, bound to a key, for no audience. */
export function verifyWit(text: string, rules: WitRules): Result<VerifiedWit, TokenProblem> {
  const jws = readCompactJws(text);
  if (!jws.ok) return jws;
  const { typ, kid = '' } = jws.value;
  if (typ !== 'wit+jwt') return refuse('wrong-typ');
  const signature = signatureProblem(jws.value, rules.keys);
  if (signature !== undefined) return refuse(signature);
  const claims = readClaims(jws.value);
  if (!claims.ok) return claims;
  const read = readWitClaims(claims.value, rules);
  return read.ok ? ok(Object.freeze({ ...read.value, kid, text, [verified]: true } as const)) : read;
}

/** The rules for claims alone, which mint asks as well. */
export function readWitClaims(
  claims: JsonObject,
  rules: Omit<WitRules, 'keys'>,
): Result<Validity & Pick<VerifiedWit, 'subject' | 'key'>, ClaimProblem> {
  if (claims.has('aud')) return refuse('bad-aud');
  const sub = requiredText(claims, 'sub');
  if (!sub.ok) return sub;
  const subject = workloadOf(sub.value, rules.domain);
  if (subject === undefined) return refuse('wrong-subject');
  const issuer = optionalText(claims, 'iss');
  if (!issuer.ok) return issuer;
  const cnf = claims.get('cnf');
  if (cnf === undefined) return refuse('missing-cnf');
  const jwk = isJsonObject(cnf) && cnf.size === 1 ? cnf.get('jwk') : undefined;
  if (!isJsonObject(jwk) || !jwk.has('alg')) return refuse('bad-cnf');
  const key = importJwk(jwk, { algorithms: proofAlgorithms, use: 'sig' });
  if (!key.ok) return refuse('bad-cnf');
  const times = checkTimes(claims, rules, 'optional');
  return times.ok ? ok({ subject, key: key.value, ...times.value }) : times;
}
