import type { Random } from '#runtime/clock.ts';

/** The same numbers in every run. */
export function seededRandom(seed = 1): Random {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
