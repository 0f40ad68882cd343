import type { Clock } from '#runtime/clock.ts';
import type { Identity } from './store.ts';

/** Gets ready what must be there when `next` is published; need not look after `ms` any more. Never rejects. */
export type PrepareIdentity = (next: Identity, ms: number) => Promise<void>;

/** What a new identity waits for at most, while the old one is good. */
const mostMs = 60_000;

/**
 * Holds an identity back until what rests on it is there, for half of what the one in use has left at most (`validForMs`).
 * False: there was nothing to wait for. Rejects with the signal's reason.
 */
export async function prepareNext(
  prepare: PrepareIdentity | undefined,
  next: Identity,
  { validForMs, clock, signal }: { readonly validForMs: number; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<boolean> {
  const ms = Math.min(mostMs, validForMs / 2);
  if (prepare === undefined || ms <= 0) return false;
  const done = new AbortController();
  const late = clock.sleep(ms, AbortSignal.any([signal, done.signal])).catch(() => undefined);
  await Promise.race([prepare(next, ms), late]);
  done.abort();
  signal.throwIfAborted();
  return true;
}
