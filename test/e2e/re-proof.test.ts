import { expect, test } from 'vitest';
import { reProofStory } from '#support/re-proof-story.ts';

test('streams of every kind outlive every certificate of both ends, though expired sessions end (A46; the long form runs 10 minutes)', async () => {
  const figures = await reProofStory({ svidLife: '5s', forMs: 25_000, longLived: 10, rotations: 6 });
  expect(Math.min(...figures.reProofs)).toBeGreaterThanOrEqual(4);
}, 60_000);
