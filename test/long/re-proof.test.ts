import { expect, test } from 'vitest';
import { reProofStory } from '#support/re-proof-story.ts';

test('50 WebSockets, 50 gRPC streams and 50 TCP connections live for 10 minutes across 10 s certificates at both ends: 0 resets (A46)', async () => {
  const figures = await reProofStory({ svidLife: '10s', forMs: 600_000, longLived: 50, rotations: 85 });
  console.log(JSON.stringify(figures));
  expect(Math.min(...figures.reProofs)).toBeGreaterThanOrEqual(83);
}, 700_000);
