import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lacks } from '#support/needs.ts';
import { pathStory, startPathWorld, type PathWorld } from './path-story.ts';

/** So many spellings of paths through both agents to each of three back ends, `abreast` at a time. */
export function describePathFuzz({ cases, abreast }: { readonly cases: number; readonly abreast: number }): void {
  const what = `${cases} generated paths in front of Node, nginx and Python`;
  describe.skipIf(lacks(what, 'nginx', 'python3'))(`${cases} spellings of paths through both agents`, () => {
    const seed = Number(process.env['EASTWEST_FUZZ_SEED'] ?? Date.now() % 1_000_000);
    let world: PathWorld;

    beforeAll(async () => {
      world = await startPathWorld();
      console.info(`EASTWEST_FUZZ_SEED=${seed}`);
    }, 30_000);
    afterAll(() => world[Symbol.asyncDispose]());

    test.each(['Node', 'nginx', 'Python'] as const)(
      'A56: what is decided on is what %s is given, and takes it for',
      async (name) => {
        const figures = await pathStory(world, name, { cases, seed, abreast });
        console.info(name, JSON.stringify(figures));
        expect(figures.rewritten, 'the fuzzer is not so wild that nothing passes').toBeGreaterThan(cases / 10);
        expect(figures.refused).toBeGreaterThan(cases / 10);
      },
    );
  });
}
