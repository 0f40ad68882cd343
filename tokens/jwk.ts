import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { algorithmFacts, type SignatureAlgorithm } from './algorithms.ts';
import { decodeBase64url, sha256Base64url } from './base64url.ts';
import { bitLength, hasRocaMark } from './rsa-modulus.ts';
import { isJsonArray, type JsonObject } from './strict-json.ts';

/** A public key with the one algorithm that it verifies. Only `importJwk` makes one. */
export interface VerificationKey {
  readonly kid: string | undefined;
  readonly algorithm: SignatureAlgorithm;
  /** As node:crypto takes it, with padding and encoding. */
  readonly input: { readonly key: KeyObject; readonly dsaEncoding: 'ieee-p1363' };
  readonly hash: string | undefined;
  readonly signatureLength: number;
  /** SHA-256 of the key, base64url (RFC 7638): `jkt` of RFC 9449. */
  readonly thumbprint: string;
}

/** A key that is not for us; others of its set may be. */
export type ForeignKey =
  | 'other-use'
  | 'other-key-type'
  | 'other-algorithm'
  /** An RSA key without `alg` where the configuration allows several: name it there. */
  | 'ambiguous-algorithm';

/** A key that nobody should publish: its document is not to be trusted (A22). */
export type BadKey =
  | 'malformed-key'
  | 'private-key'
  | 'symmetric-key'
  | 'weak-rsa-key'
  | 'bad-rsa-exponent'
  | 'roca-key'
  | 'curve-mismatch'
  | 'bad-point';

export interface JwkRules {
  readonly algorithms: readonly SignatureAlgorithm[];
  /** `sig`: `use` may be left out. `jwt-svid`, `wit-svid`: it must say so (SPIFFE). */
  readonly use: 'sig' | 'jwt-svid' | 'wit-svid';
}

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'];
const minRsaBits = 2048;
const maxRsaBits = 8192;
/** 65537, the one that everybody uses. */
const rsaExponent = 'AQAB';

/** Imports a public JWK (RFC 7517) for signature checks. `isBadKey` tells which refusals spoil the whole document. */
export function importJwk(jwk: JsonObject, rules: JwkRules): Result<VerificationKey, ForeignKey | BadKey> {
  const kid = jwk.get('kid');
  const alg = jwk.get('alg');
  if (!isOptionalText(kid) || !isOptionalText(alg) || kid === '') return refuse('malformed-key');
  if (jwk.get('kty') === 'oct' || jwk.has('k')) return refuse('symmetric-key');
  if (privateMembers.some((member) => jwk.has(member))) return refuse('private-key');
  const usage = usageProblem(jwk, rules);
  if (usage !== undefined) return refuse(usage);
  const algorithm = chooseAlgorithm(jwk, alg, rules.algorithms);
  if (!algorithm.ok) return algorithm;
  return algorithmFacts[algorithm.value].keyType === 'RSA'
    ? importRsa(jwk, kid, algorithm.value)
    : importCurve(jwk, kid, algorithm.value);
}

export function isBadKey(problem: ForeignKey | BadKey): problem is BadKey {
  switch (problem) {
    case 'other-use':
    case 'other-key-type':
    case 'other-algorithm':
    case 'ambiguous-algorithm':
      return false;
    default:
      return true;
  }
}

function usageProblem(jwk: JsonObject, rules: JwkRules): 'other-use' | 'malformed-key' | undefined {
  const use = jwk.get('use');
  if (!isOptionalText(use)) return 'malformed-key';
  if (use !== rules.use && !(use === undefined && rules.use === 'sig')) return 'other-use';
  const operations = jwk.get('key_ops');
  if (operations === undefined) return undefined;
  if (!isJsonArray(operations) || new Set(operations).size !== operations.length) return 'malformed-key';
  return operations.includes('verify') ? undefined : 'other-use';
}

/** The one algorithm that the key's own `alg`, its type and curve, and the configuration agree on (A3). */
function chooseAlgorithm(
  jwk: JsonObject,
  alg: string | undefined,
  allowed: readonly SignatureAlgorithm[],
): Result<SignatureAlgorithm, ForeignKey | BadKey> {
  const kty = jwk.get('kty');
  const crv = jwk.get('crv');
  if (typeof kty !== 'string' || !isOptionalText(crv)) return refuse('malformed-key');
  const ofType = allowed.filter((each) => algorithmFacts[each].keyType === kty);
  if (alg !== undefined) {
    const named = allowed.find((each) => each === alg);
    if (named === undefined) return refuse('other-algorithm');
    const { keyType, curve } = algorithmFacts[named];
    return keyType === kty && (curve === undefined || curve === crv) ? ok(named) : refuse('curve-mismatch');
  }
  if (ofType.length === 0) return refuse('other-key-type');
  const [only, ...more] = kty === 'RSA' ? ofType : ofType.filter((each) => algorithmFacts[each].curve === crv);
  if (only === undefined) return refuse('other-algorithm');
  return more.length === 0 ? ok(only) : refuse('ambiguous-algorithm');
}

function importRsa(
  jwk: JsonObject,
  kid: string | undefined,
  algorithm: SignatureAlgorithm,
): Result<VerificationKey, BadKey> {
  const n = jwk.get('n');
  const e = jwk.get('e');
  const modulus = typeof n === 'string' ? decodeBase64url(n) : undefined;
  if (typeof n !== 'string' || typeof e !== 'string' || !modulus?.[0]) return refuse('malformed-key');
  const bits = bitLength(modulus);
  if (bits < minRsaBits || bits > maxRsaBits) return refuse('weak-rsa-key');
  if (e !== rsaExponent) return refuse('bad-rsa-exponent');
  if (hasRocaMark(modulus)) return refuse('roca-key');
  const key = keyObject({ kty: 'RSA', n, e });
  if (!key) return refuse('malformed-key');
  const thumbprint = sha256Base64url(`{"e":"${e}","kty":"RSA","n":"${n}"}`);
  return ok(toKey(key, { kid, algorithm, signatureLength: modulus.length, thumbprint }));
}

function importCurve(
  jwk: JsonObject,
  kid: string | undefined,
  algorithm: SignatureAlgorithm,
): Result<VerificationKey, BadKey> {
  const { keyType: kty, curve: crv = '', coordinateBytes = 0 } = algorithmFacts[algorithm];
  const x = jwk.get('x');
  const y = jwk.get('y');
  if (!isCoordinate(x, coordinateBytes)) return refuse('malformed-key');
  const facts = { kid, algorithm, signatureLength: coordinateBytes * 2 };
  if (kty === 'EC') {
    if (!isCoordinate(y, coordinateBytes)) return refuse('malformed-key');
    const key = keyObject({ kty, crv, x, y });
    const thumbprint = sha256Base64url(`{"crv":"${crv}","kty":"EC","x":"${x}","y":"${y}"}`);
    return key ? ok(toKey(key, { ...facts, thumbprint })) : refuse('bad-point');
  }
  const key = keyObject({ kty, crv, x });
  const thumbprint = sha256Base64url(`{"crv":"${crv}","kty":"OKP","x":"${x}"}`);
  return key && y === undefined ? ok(toKey(key, { ...facts, thumbprint })) : refuse('malformed-key');
}

/** Undefined where OpenSSL refuses it: a point that is not on its curve, for one. */
function keyObject(key: JsonWebKeyInput['key']): KeyObject | undefined {
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch {
    return undefined;
  }
}

function toKey(
  key: KeyObject,
  facts: Pick<VerificationKey, 'kid' | 'algorithm' | 'signatureLength' | 'thumbprint'>,
): VerificationKey {
  const { hash, padding } = algorithmFacts[facts.algorithm];
  return Object.freeze({
    ...facts,
    hash,
    input: Object.freeze({ key, dsaEncoding: 'ieee-p1363', ...padding } as const),
  });
}

function isCoordinate(value: unknown, bytes: number): value is string {
  return typeof value === 'string' && decodeBase64url(value)?.length === bytes;
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}
