import type { SpiffeId } from '#certs/spiffe-id.ts';
import { isSecret, readSecret } from '#control-plane/secret-text.ts';
import type { Reader } from '#control-plane/store/store.ts';
import { ok, refuse } from '#runtime/result.ts';
import type { Attesting } from './attestor.ts';

/** Once only: `consume` spends the token, and of two that come at the same time the second is refused there. */
export function attestByJoinToken(store: Reader, token: string, nowMs: number): Attesting {
  const presented = readSecret('ew1', token);
  if (presented === undefined) return refuse({ problem: 'unknown-join-token', detail: 'malformed' });
  const { id } = presented;
  const known = store.joinToken(id);
  if (known === undefined) return refuse({ problem: 'unknown-join-token', detail: 'unknown id' });
  const { spiffeId } = known;
  if (!isSecret(presented, known.secretHash)) {
    return refuse({ problem: 'unknown-join-token', detail: `wrong secret for token ${id}` });
  }
  if (known.usedAtMs !== undefined) return refuse({ problem: 'join-token-spent', detail: `token ${id}`, spiffeId });
  if (nowMs >= known.expiresAtMs) return refuse({ problem: 'join-token-expired', detail: `token ${id}`, spiffeId });
  return ok({
    method: 'join-token',
    spiffeId: spiffeId satisfies SpiffeId,
    tokenId: id,
    consume: (writer, atMs) =>
      writer.spendJoinToken(id, atMs) === 'done' ? ok(undefined) : refuse('join-token-spent'),
  });
}
