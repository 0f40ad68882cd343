import { ok, refuse, type Result } from '#runtime/result.ts';
import { sha256Base64url } from './base64url.ts';
import { audienceProblem, requiredId, type Audience } from './claims.ts';
import { readClaims, readCompactJws } from './compact-jws.ts';
import { oneHeader } from './one-header.ts';
import type { ProofProblem, TokenProblem } from './problem.ts';
import { signatureProblemWith } from './signature.ts';
import { isJsonObject, type JsonObject } from './strict-json.ts';
import { acceptedUntilMs, checkTimes, type TimeRules } from './times.ts';
import type { VerifiedWit } from './wit.ts';

const verified = Symbol('verified WPT');

/** The holder of the WIT's key sent this request. Only `verifyWpt` makes one. */
export interface VerifiedWpt {
  readonly wit: VerifiedWit;
  /** Used once: to be refused when it comes again before `replayableUntilMs` (`createSeenIds`). */
  readonly tokenId: string;
  readonly replayableUntilMs: number;
  readonly [verified]: true;
}

export interface WptRules extends TimeRules {
  readonly wit: VerifiedWit;
  /** The target URI without query and fragment, or a name agreed on; by configuration, never from `Host`. */
  readonly audience: Audience;
  /** Other tokens of the request: the proof must name what is there and nothing else. */
  readonly accessToken: string | undefined;
  readonly txnToken: string | undefined;
  /** Header name, lower case → value, blanks at its ends removed. */
  readonly otherTokens: ReadonlyMap<string, string>;
}

export const defaultProofLifetimeSeconds = 300;

/**
 * Verifies the values of `Workload-Proof-Token` (WIMSE workload proof token, section 2): exactly one, made by the key in the WIT
 * with exactly its algorithm, for us, for these tokens (A20).
 */
export function verifyWpt(values: readonly string[], rules: WptRules): Result<VerifiedWpt, TokenProblem> {
  const text = oneHeader(values);
  if (!text.ok) return text;
  const jws = readCompactJws(text.value);
  if (!jws.ok) return jws;
  if (jws.value.typ !== 'wpt+jwt') return refuse('wrong-typ');
  const signature = signatureProblemWith(jws.value, rules.wit.key);
  if (signature !== undefined) return refuse(signature);
  const claims = readClaims(jws.value);
  if (!claims.ok) return claims;
  const audience = audienceProblem(claims.value, rules.audience);
  if (audience !== undefined) return refuse(audience);
  const times = checkTimes(claims.value, rules, 'optional');
  if (!times.ok) return times;
  const tokenId = requiredId(claims.value);
  if (!tokenId.ok) return tokenId;
  const hashes = hashesProblem(claims.value, rules);
  if (hashes !== undefined) return refuse(hashes);
  const replayableUntilMs = acceptedUntilMs(times.value, rules);
  return ok(Object.freeze({ wit: rules.wit, tokenId: tokenId.value, replayableUntilMs, [verified]: true } as const));
}

function hashesProblem(claims: JsonObject, rules: WptRules): ProofProblem | undefined {
  if (claims.get('wth') !== sha256Base64url(rules.wit.text)) return 'wrong-wth';
  if (!names(claims.get('ath'), rules.accessToken)) return 'wrong-ath';
  if (!names(claims.get('tth'), rules.txnToken)) return 'wrong-tth';
  const oth = claims.get('oth');
  if (oth === undefined) return rules.otherTokens.size === 0 ? undefined : 'wrong-oth';
  if (!isJsonObject(oth) || oth.size !== rules.otherTokens.size) return 'wrong-oth';
  for (const [name, hash] of oth) {
    const value = rules.otherTokens.get(name);
    if (value === undefined || hash !== sha256Base64url(value)) return 'wrong-oth';
  }
  return undefined;
}

/** Both there and equal, or both absent. */
function names(hash: unknown, token: string | undefined): boolean {
  return token === undefined ? hash === undefined : hash === sha256Base64url(token);
}
