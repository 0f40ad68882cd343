import { ok, refuse, type Result } from '#runtime/result.ts';

/** A signing key's place in the ring; the key itself is kept elsewhere, by `kid`. */
export interface RingKey {
  readonly kid: string;
  readonly publishedAtMs: number;
  /** Undefined: it has not signed yet. */
  readonly signsFromMs: number | undefined;
  /** Undefined: it has not stopped signing. */
  readonly retiredAtMs: number | undefined;
}

/**
 * Keys of an issuer: next → current → previous (S75). A value: each move gives a new ring, which is to be stored before anything
 * is signed by it, so a restart never signs with a key that was not published (A40).
 */
export interface KeyRing {
  /** Published, does not sign. */
  readonly next: RingKey | undefined;
  /** Signs. Undefined after its revocation until the next one may. */
  readonly current: RingKey | undefined;
  /** Sign no more; published until their last token is dead, the oldest first. */
  readonly previous: readonly RingKey[];
}

export interface RingTimes {
  /** How long a key signs. */
  readonly rotateEveryMs: number;
  /** How long it is published before: as long as verifiers may go without looking. */
  readonly publishAheadMs: number;
  readonly maxTokenLifeMs: number;
  /** What verifiers add to `exp`. */
  readonly skewMs: number;
}

export type RingProblem = 'next-is-there' | 'known-kid' | 'no-next' | 'too-early';

/** The first ring of an issuer that nobody has asked for keys before: its key signs at once. */
export function startRing(kid: string, nowMs: number): KeyRing {
  return { next: undefined, current: { ...newKey(kid, nowMs), signsFromMs: nowMs }, previous: [] };
}

export function publishNext(ring: KeyRing, kid: string, nowMs: number): Result<KeyRing, RingProblem> {
  if (ring.next) return refuse('next-is-there');
  if (publishedKids(ring).includes(kid)) return refuse('known-kid');
  return ok({ ...ring, next: newKey(kid, nowMs) });
}

/** The next key signs from now on, the current one no more. Refused before verifiers can know the next one. */
export function promoteNext(ring: KeyRing, nowMs: number, times: RingTimes): Result<KeyRing, RingProblem> {
  const { next, current, previous } = ring;
  if (!next) return refuse('no-next');
  if (nowMs < next.publishedAtMs + times.publishAheadMs) return refuse('too-early');
  return ok({
    next: undefined,
    current: { ...next, signsFromMs: nowMs },
    previous: current ? [...previous, { ...current, retiredAtMs: nowMs }] : previous,
  });
}

/** Without the previous keys whose last token has expired. */
export function dropDead(ring: KeyRing, nowMs: number, times: RingTimes): KeyRing {
  return { ...ring, previous: ring.previous.filter((key) => nowMs < deadAtMs(key, times)) };
}

/** Without this key, at once: its tokens are refused wherever the new set is known (S80). Nothing signs in its place before the next may. */
export function revokeKid(ring: KeyRing, kid: string): KeyRing {
  const unless = (key: RingKey | undefined): RingKey | undefined => (key?.kid === kid ? undefined : key);
  return {
    next: unless(ring.next),
    current: unless(ring.current),
    previous: ring.previous.filter((key) => key.kid !== kid),
  };
}

/** Of the document for verifiers. */
export function publishedKids(ring: KeyRing): readonly string[] {
  return publishedKeys(ring).map((key) => key.kid);
}

export function publishedKeys(ring: KeyRing): readonly RingKey[] {
  return [ring.next, ring.current, ...ring.previous].filter((key) => key !== undefined);
}

export interface DueMove {
  readonly move: 'publish-next' | 'promote-next' | 'drop-dead';
  /** May lie in the past. */
  readonly atMs: number;
}

/** What is to be done first, and when. A next key is always wanted: a breach must not wait for one. */
export function dueMove(ring: KeyRing, nowMs: number, times: RingTimes): DueMove {
  const { next, current, previous } = ring;
  const forward: DueMove = next
    ? {
        move: 'promote-next',
        atMs: Math.max(
          next.publishedAtMs + times.publishAheadMs,
          (current?.signsFromMs ?? -Infinity) + (current ? times.rotateEveryMs : 0),
        ),
      }
    : { move: 'publish-next', atMs: nowMs };
  const dropAtMs = Math.min(...previous.map((key) => deadAtMs(key, times)));
  return dropAtMs < forward.atMs ? { move: 'drop-dead', atMs: dropAtMs } : forward;
}

function newKey(kid: string, nowMs: number): RingKey {
  return { kid, publishedAtMs: nowMs, signsFromMs: undefined, retiredAtMs: undefined };
}

function deadAtMs(key: RingKey, times: RingTimes): number {
  return (key.retiredAtMs ?? Infinity) + times.maxTokenLifeMs + times.skewMs;
}
