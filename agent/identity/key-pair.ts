import { createPublicKey, type KeyObject } from 'node:crypto';
import { exportSpki, keyThumbprint } from '#certs/keys.ts';
import type { X509Svid } from '#certs/svid.ts';
import type { TrustBundle } from '#certs/trust-bundle.ts';
import { verifySvid, type SvidProblem } from '#certs/verify-svid.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';

export type PairProblem = SvidProblem | 'key-mismatch';

export interface KeyedIdentity {
  readonly svid: X509Svid;
  readonly privateKey: KeyObject;
}

/** Whether the chain stands in our own bundle now and the key is the leaf's. */
export function checkKeyPair(
  chainDer: readonly Buffer[],
  privateKey: KeyObject,
  check: { readonly bundle: TrustBundle; readonly nowMs: number },
): Result<KeyedIdentity, PairProblem> {
  const verified = verifySvid(chainDer, check);
  if (!verified.ok) return verified;
  const ownThumbprint = keyThumbprint(exportSpki(createPublicKey(privateKey)));
  if (ownThumbprint !== verified.value.keyThumbprint) return refuse('key-mismatch');
  return ok({ svid: verified.value, privateKey });
}
