import { expect, test } from 'vitest';
import { rotationStory } from '#support/rotation-story.ts';

test('certificates rotate under HTTP, WebSocket and TCP load, and nothing fails (M1, M2, S5; the long form runs 2 minutes)', async () => {
  const result = await rotationStory({ svidLife: '5s', forMs: 20_000, perSecond: 150, longLived: 5, rotations: 4 });
  expect(result.messages).toBeGreaterThan(500);
  expect(result.lines).toBeGreaterThan(500);
}, 60_000);
