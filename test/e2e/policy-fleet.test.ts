import { expect, test } from 'vitest';
import { enforcedStory } from '#support/enforced-story.ts';

test('ten agents enforce what `policy apply` put into force, on open streams too (A45; 50 agents: test:long)', async () => {
  const figures = await enforcedStory({ agents: 10, rounds: 3, warmUp: 1, documents: 20 });
  console.log(JSON.stringify(figures));
  expect(figures.wrong).toEqual([]);
  expect(figures.kept.broken).toEqual([]);
  expect(figures.kept.echoes).toBeGreaterThanOrEqual(figures.kept.streams);
  expect(figures.revoked.fromReturn.samples).toBe(30);
  expect(figures.allowed.fromReturn.samples).toBe(30);
  // Long enough for a busy machine; a push that was lost, or a stream that nobody judges again, would take for ever.
  expect(figures.revoked.fromReturn.max).toBeLessThan(3_000);
  expect(figures.allowed.fromReturn.max).toBeLessThan(3_000);
}, 180_000);
