import { ok, refuse, type Result } from '#runtime/result.ts';
import { decodeBase64url } from './base64url.ts';
import type { JwsProblem } from './problem.ts';
import { isJsonObject, readJsonObject, type JsonObject } from './strict-json.ts';

/** A compact JWS (RFC 7515, section 3.1) whose form is right. Nothing in it is proved yet. */
export interface CompactJws {
  readonly alg: string;
  /** Only ever a key for a lookup in a Map (A4). */
  readonly kid: string | undefined;
  /** Lower case, without `application/` (RFC 7515, section 4.1.9). */
  readonly typ: string | undefined;
  readonly header: JsonObject;
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** What was signed: the first two parts, ASCII. */
  readonly signingInput: string;
}

export const maxTokenLength = 8_192;

/**
 * - `known`: `jku`, `x5u`, `x5c`, `jwk` and what belongs to other formats is refused, what nobody knows is ignored.
 * - `jwk`: the same, and the header must bring a `jwk` (DPoP).
 * - `minimal`: `alg`, `kid` and `typ`, nothing else (JWT-SVID, section 2).
 */
export type HeaderRule = 'known' | 'jwk' | 'minimal';

export interface ReadOptions {
  readonly header?: HeaderRule;
  /** In characters, which are bytes; looked at before anything is decoded. */
  readonly maxLength?: number;
}

/** Keys and addresses of keys that a token brings itself are never used (A7); JWE and nested tokens are not read (A11). */
const refusedParameters = ['jku', 'x5u', 'x5c', 'jwk', 'enc', 'zip', 'cty', 'epk', 'p2c', 'p2s'];

/** Reads the three parts and the header, canonical spelling only (A8–A11). */
export function readCompactJws(text: string, options: ReadOptions = {}): Result<CompactJws, JwsProblem> {
  if (text.length > (options.maxLength ?? maxTokenLength)) return refuse('too-large');
  const firstDot = text.indexOf('.');
  const secondDot = text.indexOf('.', firstDot + 1);
  if (firstDot <= 0 || secondDot < 0 || text.includes('.', secondDot + 1)) return refuse('malformed');
  const headerBytes = decodeBase64url(text.slice(0, firstDot));
  const payload = decodeBase64url(text.slice(firstDot + 1, secondDot));
  const signature = decodeBase64url(text.slice(secondDot + 1));
  const header = headerBytes && readJsonObject(headerBytes);
  if (!header || !payload || !signature) return refuse('malformed');
  const alg = header.get('alg');
  const kid = header.get('kid');
  const typ = header.get('typ');
  if (typeof alg !== 'string' || !isOptionalText(kid) || !isOptionalText(typ)) return refuse('malformed');
  const problem = headerProblem(header, options.header ?? 'known');
  if (problem !== undefined) return refuse(problem);
  const mediaType = typ === undefined ? undefined : bareMediaType(typ);
  return ok({ alg, kid, typ: mediaType, header, payload, signature, signingInput: text.slice(0, secondDot) });
}

/** The claims, a JSON object (RFC 7519, section 7.2). */
export function readClaims(jws: CompactJws): Result<JsonObject, 'malformed'> {
  const claims = readJsonObject(jws.payload);
  return claims ? ok(claims) : refuse('malformed');
}

function headerProblem(header: JsonObject, rule: HeaderRule): JwsProblem | undefined {
  if (header.has('crit') || header.has('b64')) return 'critical-header';
  for (const name of refusedParameters) {
    if (header.has(name) && !(name === 'jwk' && rule === 'jwk')) return 'header-not-allowed';
  }
  if (rule === 'jwk') return isJsonObject(header.get('jwk')) ? undefined : 'malformed';
  if (rule === 'known') return undefined;
  const known = 1 + Number(header.has('kid')) + Number(header.has('typ'));
  return header.size === known ? undefined : 'header-not-allowed';
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

const mediaPrefix = 'application/';

function bareMediaType(typ: string): string {
  const lower = typ.toLowerCase();
  return lower.startsWith(mediaPrefix) ? lower.slice(mediaPrefix.length) : lower;
}
