import { expect, test } from 'vitest';
import { expectNoGrowth, soakStory } from '#support/soak-story.ts';

test('15 minutes at full speed under 10 s certificates: no growth of memory, open files or sessions', async () => {
  const figures = await soakStory({
    svidLife: '10s',
    warmUpMs: 60_000,
    forMs: 900_000,
    connections: 64,
    longLived: 10,
  });
  console.log(JSON.stringify(figures));
  expectNoGrowth(figures.cart);
  expectNoGrowth(figures.echo);
  expect(Math.min(...figures.rotations)).toBeGreaterThanOrEqual(125);
}, 1_100_000);
