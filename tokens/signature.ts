import { verify } from 'node:crypto';
import type { CompactJws } from './compact-jws.ts';
import type { VerificationKey } from './jwk.ts';
import type { KeySet } from './jwks.ts';
import type { SignatureProblem } from './problem.ts';

/**
 * Checks a signature with the key that `kid` names in the issuer's set, by that key's one algorithm (A1–A4). The algorithm in the
 * header is compared, never obeyed. Undefined: it is good.
 */
export function signatureProblem(jws: CompactJws, set: KeySet): SignatureProblem | undefined {
  if (!(set.algorithms as readonly string[]).includes(jws.alg)) return 'alg-not-allowed';
  if (jws.kid === undefined) return 'missing-kid';
  const key = set.keys.get(jws.kid);
  return key ? signatureProblemWith(jws, key) : 'unknown-kid';
}

/** The same with one key, e.g. the `cnf.jwk` of a WIT. */
export function signatureProblemWith(
  jws: CompactJws,
  key: VerificationKey,
): 'alg-not-allowed' | 'bad-signature' | undefined {
  if (jws.alg !== key.algorithm) return 'alg-not-allowed';
  if (jws.signature.length !== key.signatureLength) return 'bad-signature';
  const isGood = verify(key.hash, Buffer.from(jws.signingInput, 'latin1'), key.input, jws.signature);
  return isGood ? undefined : 'bad-signature';
}
