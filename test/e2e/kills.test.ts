import { expect, test } from 'vitest';
import { killStory } from '#support/kills.ts';

test('kill -9 of control plane and agents at random moments: all start again, one CA, nothing issued or spent twice (S42, A69; the long form kills 50 times)', async () => {
  const { answered } = await killStory({ kills: 8, pauseMs: [200, 2_000] });
  expect(answered).toBeGreaterThan(50);
}, 90_000);
