import type { AssertionKey } from '#control-plane/registry/model.ts';
import { issuerAlgorithms } from '#tokens/algorithms.ts';
import { readKeySet, type KeySet } from '#tokens/jwks.ts';

const read = new WeakMap<readonly AssertionKey[], KeySet>();

/** A client's registered keys as the verifier takes them; read once for each registration. */
export function assertionKeySet(keys: readonly AssertionKey[]): KeySet {
  const known = read.get(keys);
  if (known !== undefined) return known;
  const jwks = keys.map(({ kid, algorithm, publicKey }) => ({
    ...publicKey.export({ format: 'jwk' }),
    kid,
    alg: algorithm,
  }));
  const set = readKeySet(Buffer.from(JSON.stringify({ keys: jwks })), { algorithms: issuerAlgorithms, use: 'sig' });
  const verifying: KeySet = set.ok ? set.value : { ...noKeys };
  read.set(keys, verifying);
  return verifying;
}

/** Nothing verifies: what the registry accepted and the verifier does not. */
const noKeys: KeySet = { keys: new Map(), algorithms: [], passedOver: [], sequence: undefined };
