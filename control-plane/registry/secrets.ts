import { isSecret, makeSecret, readSecret } from '#control-plane/secret-text.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { Actor, ClientSecret } from './model.ts';
import type { NoClient, RegisteredClient, Registry } from './registry.ts';

/** Neither more than one that ends beside the one that stays, nor beside one that waits for approval. */
const mostSecrets = 3;

export interface NewClientSecret {
  /** To be shown once. */
  readonly text: string;
  readonly secret: ClientSecret;
}

export function makeClientSecret(by: Actor, nowMs: number, use: 'now' | 'once-approved'): NewClientSecret {
  const { text, id, hash } = makeSecret('ewc1');
  const secret = { id, hash, madeAtMs: nowMs, madeBy: by, isUsable: use === 'now', endsAtMs: undefined };
  return { text, secret };
}

/** The newest counts from now on; those before it go on for `overlapMs`, none longer than it would have. */
export function useNewest(
  secrets: readonly ClientSecret[],
  { nowMs, overlapMs }: { nowMs: number; overlapMs: number },
): readonly ClientSecret[] {
  const newest = secrets.at(-1);
  if (newest === undefined) return [];
  const older = secrets
    .slice(0, -1)
    .filter((secret) => secret.isUsable && !hasEnded(secret, nowMs))
    .map((secret) => ({ ...secret, endsAtMs: Math.min(secret.endsAtMs ?? Infinity, nowMs + overlapMs) }))
    .filter(({ endsAtMs }) => endsAtMs > nowMs);
  return [...older, { ...newest, isUsable: true }].slice(-mostSecrets);
}

function hasEnded({ endsAtMs }: ClientSecret, nowMs: number): boolean {
  return endsAtMs !== undefined && nowMs >= endsAtMs;
}

export type SecretRefusal = NoClient | 'other-authentication' | 'wrong-secret' | 'secret-ended' | 'secret-not-approved';

/**
 * The client whose secret this is (RFC 6749, section 2.3.1). Compared in constant time; a caller who may try often must be
 * held back by whoever calls this.
 */
export function clientWithSecret(
  registry: Pick<Registry, 'client'>,
  clientId: string,
  { text, nowMs }: { text: string; nowMs: number },
): Result<RegisteredClient, SecretRefusal> {
  const found = registry.client(clientId);
  const presented = readSecret('ewc1', text);
  const secrets = found.ok ? found.value.secrets : [];
  const secret = presented && secrets.find(({ id }) => id === presented.id);
  const isRight = presented !== undefined && isSecret(presented, secret?.hash);
  if (!found.ok) return found;
  if (found.value.authentication.kind !== 'client-secret') return refuse('other-authentication');
  if (!isRight || secret === undefined) return refuse('wrong-secret');
  if (!secret.isUsable) return refuse('secret-not-approved');
  return hasEnded(secret, nowMs) ? refuse('secret-ended') : ok(found.value);
}
