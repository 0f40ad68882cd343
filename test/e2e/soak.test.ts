import { expect, test } from 'vitest';
import { expectNoGrowth, soakStory } from '#support/soak-story.ts';

test('at full speed under 5 s certificates an agent holds no more than after its warm-up (15 minutes: test:long)', async () => {
  const figures = await soakStory({ svidLife: '5s', forMs: 24_000, connections: 32, longLived: 3, samples: 24 });
  expectNoGrowth(figures.cart);
  expectNoGrowth(figures.echo);
  expect(Math.min(...figures.rotations)).toBeGreaterThanOrEqual(5);
}, 60_000);
