import { describe, expect, test } from 'vitest';
import { lacks } from '#support/needs.ts';
import { expectUnmoved, slowStory } from '#support/slow-story.ts';

describe.skipIf(lacks('slow clients of both agents', 'python3'))('slow clients of both agents', () => {
  test('A53, A54: 500 of all kinds for 20 s: others hardly notice, and memory stays below its ceilings', async () => {
    const story = {
      ...{ clients: 500, rampMs: 4_000, forMs: 20_000, returnMs: 5_000, perSecond: 50, mostGrowthMb: 300 },
      limits: { headTimeout: '5s', stallTimeout: '10s' },
    };
    const figures = await slowStory(story);
    console.info(JSON.stringify(figures));
    expectUnmoved(figures, story);
    expect(figures.meanwhile.requests).toBe(1_000);
  }, 100_000);
});
