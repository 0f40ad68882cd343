import { expect, test } from 'vitest';
import { frozenStory, killedStory, type OutageStory } from '#support/outages.ts';

const story: OutageStory = {
  svidLifeMs: 10_000,
  awayMs: 3_000,
  moments: { kind: 'random', pauseMs: [1_500, 4_000] },
  forMs: 22_000,
  perSecond: 100,
  longLived: 4,
};

test('the control plane frozen for 30 % of a certificate’s life again and again, at random moments: nothing fails (M6, A66)', async () => {
  const { load, began } = await frozenStory(story);
  expect(began.length).toBeGreaterThanOrEqual(3);
  expect(load.messages + load.lines).toBeGreaterThan(500);
}, 60_000);

test('the control plane killed for 30 % of a certificate’s life and started again, at random moments: nothing fails (M6, A66)', async () => {
  const { load, began } = await killedStory({ ...story, svidLifeMs: 15_000, awayMs: 4_500 });
  expect(began.length).toBeGreaterThanOrEqual(3);
  expect(load.messages + load.lines).toBeGreaterThan(500);
}, 60_000);
