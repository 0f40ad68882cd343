import { describe, expect, test } from 'vitest';
import { lacks } from '#support/needs.ts';
import { expectUnmoved, slowStory } from '#support/slow-story.ts';

describe.skipIf(lacks('10,000 slow clients of both agents', 'python3'))('slow clients of both agents', () => {
  test('A53, A54: 10,000 of all kinds for 5 minutes: others hardly notice, and memory stays below its ceilings', async () => {
    const story = {
      ...{ clients: 10_000, rampMs: 60_000, forMs: 300_000, returnMs: 10_000, perSecond: 100, mostGrowthMb: 1_000 },
      limits: {},
    };
    const figures = await slowStory(story);
    console.info(JSON.stringify(figures));
    expectUnmoved(figures, story);
    expect(figures.meanwhile.requests).toBe(30_000);
  }, 600_000);
});
