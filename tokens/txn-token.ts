import { ok, refuse, type Result } from '#runtime/result.ts';
import { audienceProblem, optionalObject, requiredText, type Audience } from './claims.ts';
import { readClaims, readCompactJws } from './compact-jws.ts';
import type { KeySet } from './jwks.ts';
import type { ClaimProblem, TokenProblem } from './problem.ts';
import { parseScope } from './scopes.ts';
import { signatureProblem } from './signature.ts';
import type { JsonObject } from './strict-json.ts';
import { maySpeakOf, type SubjectRules } from './subjects.ts';
import { checkTimes, type TimeRules, type Validity } from './times.ts';

/** What a transaction token says: context of a call chain, no credential of who shows it. */
export interface TxnClaims extends Validity {
  readonly transactionId: string;
  readonly subject: string;
  readonly scopes: readonly string[];
  /** `req_wl`: the workload that asked for it. */
  readonly requestingWorkload: string;
  /** `tctx`, details of the call that do not change. */
  readonly transactionContext: JsonObject | undefined;
  /** `rctx`, where the call came from. */
  readonly requesterContext: JsonObject | undefined;
}

const verified = Symbol('verified transaction token');

/** Only `verifyTxnToken` makes one. */
export interface VerifiedTxnToken extends TxnClaims {
  readonly kid: string;
  readonly [verified]: true;
}

export interface TxnTokenRules extends TimeRules {
  /** The trust domain, which is the audience. */
  readonly trustDomain: Audience;
  readonly keys: KeySet;
  readonly subjects: SubjectRules;
}

/** Verifies a transaction token (OAuth transaction tokens draft): `txntoken+jwt`, for our trust domain. */
export function verifyTxnToken(text: string, rules: TxnTokenRules): Result<VerifiedTxnToken, TokenProblem> {
  const jws = readCompactJws(text);
  if (!jws.ok) return jws;
  const { typ, kid = '' } = jws.value;
  if (typ !== 'txntoken+jwt') return refuse('wrong-typ');
  const signature = signatureProblem(jws.value, rules.keys);
  if (signature !== undefined) return refuse(signature);
  const claims = readClaims(jws.value);
  if (!claims.ok) return claims;
  const read = readTxnClaims(claims.value, rules);
  return read.ok ? ok(Object.freeze({ ...read.value, kid, [verified]: true } as const)) : read;
}

/** The rules for claims alone, which mint asks as well. */
export function readTxnClaims(claims: JsonObject, rules: Omit<TxnTokenRules, 'keys'>): Result<TxnClaims, ClaimProblem> {
  const audience = audienceProblem(claims, rules.trustDomain);
  if (audience !== undefined) return refuse(audience);
  const times = checkTimes(claims, rules, 'required');
  if (!times.ok) return times;
  const transactionId = requiredText(claims, 'txn');
  if (!transactionId.ok) return transactionId;
  const subject = requiredText(claims, 'sub');
  if (!subject.ok) return subject;
  const scopes = readScope(claims);
  if (!scopes.ok) return scopes;
  const workload = requiredText(claims, 'req_wl');
  if (!workload.ok) return workload;
  if (!maySpeakOf(subject.value, rules.subjects) || !maySpeakOf(workload.value, rules.subjects)) {
    return refuse('wrong-subject');
  }
  const transactionContext = optionalObject(claims, 'tctx');
  if (!transactionContext.ok) return transactionContext;
  const requesterContext = optionalObject(claims, 'rctx');
  if (!requesterContext.ok) return requesterContext;
  return ok({
    ...times.value,
    transactionId: transactionId.value,
    subject: subject.value,
    scopes: scopes.value,
    requestingWorkload: workload.value,
    transactionContext: transactionContext.value,
    requesterContext: requesterContext.value,
  });
}

function readScope(claims: JsonObject): Result<readonly string[], ClaimProblem> {
  const value = claims.get('scope');
  if (value === undefined) return refuse('missing-scope');
  const scopes = typeof value === 'string' ? parseScope(value) : undefined;
  return scopes && scopes.length > 0 ? ok(scopes) : refuse('bad-scope');
}
