import type { Random } from '#runtime/clock.ts';

/** What decides between endpoints. */
export interface Candidate {
  /** Requests and opaque streams in flight there. */
  readonly load: number;
}

/**
 * Least requests of two random choices: one of `candidates`, of which a busy one is rarely the better of two, and no
 * two callers agree on which is the best of all. Undefined where there is none.
 */
export function chooseOfTwo<C extends Candidate>(candidates: readonly C[], random: Random): C | undefined {
  const { length } = candidates;
  if (length < 2) return candidates[0];
  const first = Math.floor(random() * length);
  const step = length === 2 ? 1 : 1 + Math.floor(random() * (length - 1));
  const a = candidates[first]!;
  const b = candidates[(first + step) % length]!;
  return b.load < a.load ? b : a;
}
