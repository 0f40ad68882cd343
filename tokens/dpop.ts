import { ok, refuse, type Result } from '#runtime/result.ts';
import { proofAlgorithms } from './algorithms.ts';
import { sha256Base64url } from './base64url.ts';
import { requiredId, requiredText } from './claims.ts';
import { readClaims, readCompactJws, type CompactJws } from './compact-jws.ts';
import { importJwk, type VerificationKey } from './jwk.ts';
import { oneHeader } from './one-header.ts';
import type { ProofProblem, TokenProblem } from './problem.ts';
import { signatureProblemWith } from './signature.ts';
import { isJsonObject, type JsonObject } from './strict-json.ts';
import { skewOf, type TimeRules } from './times.ts';

const verified = Symbol('verified DPoP proof');

/** The holder of a key sent this request. Only `verifyDpopProof` makes one. */
export interface VerifiedDpopProof {
  /** `jkt` of the key (RFC 7638): what a token's `cnf` is compared with. */
  readonly thumbprint: string;
  /** Used once: to be refused when it comes again before `replayableUntilMs` (`createSeenIds`). */
  readonly tokenId: string;
  readonly replayableUntilMs: number;
  readonly [verified]: true;
}

export interface DpopRules extends Pick<TimeRules, 'nowMs' | 'skewSeconds'> {
  /** As on the request line. */
  readonly method: string;
  /** Of the request, absolute; query and fragment do not count. */
  readonly uri: string;
  /** Undefined where none is shown, e.g. when one is asked for. */
  readonly accessToken: string | undefined;
  /** Undefined where none was given out (RFC 9449, section 8). */
  readonly nonce: string | undefined;
  /** How old a proof may be. */
  readonly maxAgeSeconds: number;
}

export const defaultProofAgeSeconds = 60;

/** Verifies the values of `DPoP` by the twelve checks of RFC 9449, section 4.3; the thirteenth, `jti`, is `createSeenIds` (A19). */
export function verifyDpopProof(values: readonly string[], rules: DpopRules): Result<VerifiedDpopProof, TokenProblem> {
  const text = oneHeader(values);
  if (!text.ok) return text;
  const jws = readCompactJws(text.value, { header: 'jwk' });
  if (!jws.ok) return jws;
  if (jws.value.typ !== 'dpop+jwt') return refuse('wrong-typ');
  const key = keyOf(jws.value);
  if (!key.ok) return key;
  const signature = signatureProblemWith(jws.value, key.value);
  if (signature !== undefined) return refuse(signature);
  const claims = readClaims(jws.value);
  if (!claims.ok) return claims;
  const tokenId = requiredId(claims.value);
  if (!tokenId.ok) return tokenId;
  const request = requestProblem(claims.value, rules);
  if (request !== undefined) return refuse(request);
  const issued = checkAge(claims.value, rules);
  if (!issued.ok) return issued;
  const replayableUntilMs = (issued.value + rules.maxAgeSeconds + skewOf(rules)) * 1000;
  const { thumbprint } = key.value;
  return ok(Object.freeze({ thumbprint, tokenId: tokenId.value, replayableUntilMs, [verified]: true } as const));
}

function keyOf(jws: CompactJws): Result<VerificationKey, 'alg-not-allowed' | 'bad-jwk'> {
  const algorithms = proofAlgorithms.filter((each) => each === jws.alg);
  if (algorithms.length === 0) return refuse('alg-not-allowed');
  const jwk = jws.header.get('jwk');
  const key = isJsonObject(jwk) ? importJwk(jwk, { algorithms, use: 'sig' }) : undefined;
  return key?.ok ? key : refuse('bad-jwk');
}

function requestProblem(claims: JsonObject, rules: DpopRules): TokenProblem | undefined {
  const method = requiredText(claims, 'htm');
  if (!method.ok) return method.reason;
  const uri = requiredText(claims, 'htu');
  if (!uri.ok) return uri.reason;
  if (method.value !== rules.method) return 'wrong-htm';
  if (uri.value.includes('?') || uri.value.includes('#')) return 'bad-htu';
  const target = targetOf(rules.uri);
  if (target === undefined || targetOf(uri.value) !== target) return 'wrong-htu';
  return proofOfProblem(claims, rules);
}

function proofOfProblem(claims: JsonObject, rules: DpopRules): ProofProblem | undefined {
  if (rules.nonce !== undefined && claims.get('nonce') !== rules.nonce) return 'wrong-nonce';
  const ath = claims.get('ath');
  if (rules.accessToken === undefined) return ath === undefined ? undefined : 'wrong-ath';
  return ath === sha256Base64url(rules.accessToken) ? undefined : 'wrong-ath';
}

/** Scheme, host and port normalised (RFC 3986, section 6.2), path as `URL` writes it. */
function targetOf(uri: string): string | undefined {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) return undefined;
  return url.username === '' && url.password === '' ? `${url.origin}${url.pathname}` : undefined;
}

/** `iat` in seconds, no older than allowed and not from the future. */
function checkAge(claims: JsonObject, rules: DpopRules): Result<number, TokenProblem> {
  const iat = claims.get('iat');
  if (iat === undefined) return refuse('missing-iat');
  if (typeof iat !== 'number' || !Number.isSafeInteger(iat) || iat <= 0) return refuse('bad-iat');
  const nowSeconds = rules.nowMs / 1000;
  if (iat > nowSeconds + skewOf(rules)) return refuse('issued-in-the-future');
  return iat + rules.maxAgeSeconds + skewOf(rules) <= nowSeconds ? refuse('expired') : ok(iat);
}
