import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { Reader } from '#control-plane/store/store.ts';
import { ok, refuse } from '#runtime/result.ts';
import type { Attesting } from './attestor.ts';

/** `ew1.<id>.<secret>`: the id (64 bits) finds the record and may be logged, the secret (256 bits) is kept as a hash only. */
const form = /^ew1\.([0-9a-f]{16})\.([\w-]{43})$/;

export interface NewJoinToken {
  /** To be shown once. */
  readonly token: string;
  readonly id: string;
  readonly secretHash: Buffer;
}

export function makeJoinToken(): NewJoinToken {
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { token: `ew1.${id}.${secret}`, id, secretHash: hash('sha256', secret, 'buffer') };
}

/** Once only: `consume` spends the token, and of two that come at the same time the second is refused there. */
export function attestByJoinToken(store: Reader, token: string, nowMs: number): Attesting {
  const [, id, secret] = form.exec(token) ?? [];
  if (id === undefined || secret === undefined) return refuse({ problem: 'unknown-join-token', detail: 'malformed' });
  const known = store.joinToken(id);
  if (known === undefined) return refuse({ problem: 'unknown-join-token', detail: 'unknown id' });
  const { spiffeId } = known;
  if (!timingSafeEqual(hash('sha256', secret, 'buffer'), known.secretHash)) {
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
