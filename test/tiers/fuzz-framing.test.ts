import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectUnharmed, framingStory } from '#support/fuzz/framing-story.ts';
import { startFuzzWorld, type FuzzWorld } from '#support/fuzz/fuzz-world.ts';
import { recordingBackends, type RecordingBackend } from '#support/fuzz/recording-backends.ts';
import { lacks } from '#support/needs.ts';
import { figuresOf } from '#support/process-figures.ts';

const what = 'fuzzed HTTP/1.1 in front of Node, nginx and Python';
const cases = 4_000;

describe.skipIf(lacks(what, 'nginx', 'python3'))('fuzzed HTTP/1.1 through both agents', () => {
  const seed = Number(process.env['EASTWEST_FUZZ_SEED'] ?? Date.now() % 1_000_000);
  let world: FuzzWorld<RecordingBackend>;

  beforeAll(async () => {
    world = await startFuzzWorld(recordingBackends);
    console.info(`EASTWEST_FUZZ_SEED=${seed}`);
  }, 30_000);
  afterAll(() => world[Symbol.asyncDispose]());

  test.each(['Node', 'nginx', 'Python'] as const)(
    `A50, A51: agents and %s never disagree on where a message ends (${cases} connections)`,
    async (name) => {
      const { backend, port } = world.behind(name);
      const before = [world.pair.cart, world.pair.prices].map(({ pid }) => figuresOf(pid));
      const figures = await framingStory(port, backend, { cases, seed, abreast: 16 });
      console.info(name, JSON.stringify(figures));
      expect(figures.answered, 'the fuzzer is not so wild that nothing passes').toBeGreaterThan(cases / 2);
      expect(figures.refused).toBeGreaterThan(cases / 10);
      await expectUnharmed(world.pair, before, 80);
    },
  );
});
