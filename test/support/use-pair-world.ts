import { afterEach } from 'vitest';
import { createTestDomain } from './identities.ts';
import { PairWorld } from './pair-world.ts';

/** The world of a test file: what one test opened is ended when that test is over. */
export async function usePairWorld(): Promise<PairWorld> {
  const world = new PairWorld(await createTestDomain());
  afterEach(() => world[Symbol.dispose]());
  return world;
}
