import { ok, refuse, type Result } from '#runtime/result.ts';
import type { ClaimName, ClaimProblem } from './problem.ts';
import { isJsonArray, isJsonObject, type JsonObject } from './strict-json.ts';

/** Who a token is for: one name, compared byte for byte. Only `parseAudience` makes one. */
export type Audience = string & { readonly __brand: 'Audience' };

const maxNameLength = 2_048;

/** Refuses what would be for everybody or what would have to be repaired: `*`, blanks, control characters, nothing (S50). */
export function parseAudience(text: string): Result<Audience, 'bad-audience'> {
  if (text === '' || text.includes('*') || text.length > maxNameLength || !isPrintable(text))
    return refuse('bad-audience');
  return ok(text as Audience); // the only cast to Audience
}

/** `aud` must name `expected` and nobody else: a text, or a list of exactly one (A12). */
export function audienceProblem(claims: JsonObject, expected: Audience): ClaimProblem | undefined {
  const aud = claims.get('aud');
  if (aud === undefined) return 'missing-aud';
  const only = isJsonArray(aud) ? (aud.length === 1 ? aud[0] : undefined) : aud;
  if (typeof only !== 'string' || only === '') return 'bad-aud';
  return only === expected ? undefined : 'wrong-audience';
}

/** A text of printable characters without blanks at its ends, at most 2048 long. */
export function requiredText(claims: JsonObject, name: ClaimName, from: string = name): Result<string, ClaimProblem> {
  const value = claims.get(from);
  if (value === undefined) return refuse(`missing-${name}` as const);
  return isName(value) ? ok(value) : refuse(`bad-${name}` as const);
}

export function optionalText(
  claims: JsonObject,
  name: ClaimName,
  from: string = name,
): Result<string | undefined, ClaimProblem> {
  return claims.has(from) ? requiredText(claims, name, from) : ok(undefined);
}

/** `jti`, at most 256 characters: it is kept in lists of what was seen. */
export function requiredId(claims: JsonObject, from = 'jti'): Result<string, ClaimProblem> {
  const id = requiredText(claims, 'jti', from);
  return id.ok && id.value.length > maxIdLength ? refuse('bad-jti') : id;
}

const maxIdLength = 256;

const idTokenClaims = ['nonce', 'at_hash', 'c_hash', 's_hash', 'auth_time'];

/** Marks of ID tokens (OpenID Connect Core, sections 2 and 3.3.2.11), for kinds that share `typ: JWT` with them. */
export function looksLikeIdToken(claims: JsonObject): boolean {
  return idTokenClaims.some((name) => claims.has(name));
}

/** An object, or nothing. */
export function optionalObject(claims: JsonObject, name: ClaimName): Result<JsonObject | undefined, ClaimProblem> {
  const value = claims.get(name);
  if (value === undefined) return ok(undefined);
  return isJsonObject(value) ? ok(value) : refuse(`bad-${name}` as const);
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maxNameLength && isPrintableInside(value);
}

/** No control characters, no blanks. */
function isPrintable(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code <= 0x20 || (code >= 0x7f && code <= 0xa0)) return false;
  }
  return true;
}

/** No control characters, no blanks at the ends: nothing is trimmed here, so it would be another name. */
function isPrintableInside(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
  }
  return text.charCodeAt(0) !== 0x20 && text.charCodeAt(text.length - 1) !== 0x20;
}
