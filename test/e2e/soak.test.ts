import { expect, test } from 'vitest';
import { expectNoGrowth, soakStory } from '#support/soak-story.ts';

test('after traffic at full speed under 5 s certificates an idle agent holds what it held before (15 minutes: test:long)', async () => {
  const figures = await soakStory({ svidLife: '5s', warmUpMs: 6_000, forMs: 12_000, connections: 32, longLived: 3 });
  expectNoGrowth(figures.cart);
  expectNoGrowth(figures.echo);
  expect(Math.min(...figures.rotations)).toBeGreaterThanOrEqual(8);
}, 120_000);
