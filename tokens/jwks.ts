import { ok, refuse, type Result } from '#runtime/result.ts';
import type { SignatureAlgorithm } from './algorithms.ts';
import { importJwk, isBadKey, type BadKey, type ForeignKey, type JwkRules, type VerificationKey } from './jwk.ts';
import { isJsonArray, isJsonObject, readJsonObject, type JsonObject, type JsonValue } from './strict-json.ts';

/** The keys of one issuer for one kind of token. Only `readKeySet` makes one. Without keys: all are revoked (A23). */
export interface KeySet {
  readonly keys: ReadonlyMap<string, VerificationKey>;
  readonly algorithms: readonly SignatureAlgorithm[];
  /** Keys of the document that are not for this kind of token, for the log. */
  readonly passedOver: readonly { readonly kid: string | undefined; readonly why: ForeignKey | 'no-kid' }[];
  /** `spiffe_sequence`, where the document has one. */
  readonly sequence: number | undefined;
}

export type KeySetProblem = 'too-large' | 'malformed' | 'too-many-keys' | 'duplicate-kid' | 'rollback' | BadKey;

export interface KeySetRules extends JwkRules {
  /** Undefined for the first. A document that counts lower than this is an old one played again (A24). */
  readonly previous?: KeySet | undefined;
}

const maxKeySetBytes = 262_144;
const maxKeys = 100;

/**
 * Reads a JWK Set (RFC 7517, section 5), at most 256 KiB and 100 keys. One key that nobody should publish refuses the whole
 * document, so that the last good one stays (A22); keys of other types and uses are passed over. An empty `keys` is valid.
 */
export function readKeySet(document: Buffer, rules: KeySetRules): Result<KeySet, KeySetProblem> {
  if (document.length > maxKeySetBytes) return refuse('too-large');
  const parsed = readJsonObject(document);
  const list = parsed?.get('keys');
  const sequence = parsed?.get('spiffe_sequence');
  if (!isJsonArray(list) || !isSequence(sequence)) return refuse('malformed');
  if (list.length > maxKeys) return refuse('too-many-keys');
  const before = rules.previous?.sequence;
  if (before !== undefined && (sequence === undefined || sequence < before)) return refuse('rollback');
  const gathered = gather(list, rules);
  return gathered.ok ? ok(Object.freeze({ ...gathered.value, algorithms: rules.algorithms, sequence })) : gathered;
}

function gather(
  list: readonly JsonValue[],
  rules: JwkRules,
): Result<Pick<KeySet, 'keys' | 'passedOver'>, KeySetProblem> {
  const keys = new Map<string, VerificationKey>();
  const passedOver: { kid: string | undefined; why: ForeignKey | 'no-kid' }[] = [];
  const names = new Set<string>();
  for (const jwk of list) {
    if (!isJsonObject(jwk)) return refuse('malformed');
    const kid = kidOf(jwk);
    if (kid !== undefined && names.has(kid)) return refuse('duplicate-kid');
    if (kid !== undefined) names.add(kid);
    const imported = importJwk(jwk, rules);
    if (imported.ok && kid !== undefined) keys.set(kid, imported.value);
    else if (imported.ok) passedOver.push({ kid, why: 'no-kid' });
    else if (isBadKey(imported.reason)) return refuse(imported.reason);
    else passedOver.push({ kid, why: imported.reason });
  }
  return ok({ keys, passedOver });
}

function kidOf(jwk: JsonObject): string | undefined {
  const kid = jwk.get('kid');
  return typeof kid === 'string' ? kid : undefined;
}

function isSequence(value: JsonValue | undefined): value is number | undefined {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0);
}
