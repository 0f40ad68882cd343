import { expect, test } from 'vitest';
import { frozenStory, killedStory, type OutageStory } from '#support/outages.ts';

/** Parts of a life after cart's latest rotation; from 50 % on the certificate may have been replaced, its renewal be due, or under way. */
const shares = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

const story: OutageStory = {
  svidLifeMs: 10_000,
  awayMs: 3_000,
  moments: { kind: 'at', shares },
  forMs: 125_000,
  perSecond: 150,
  longLived: 8,
};

test('the control plane frozen for 30 % of a certificate’s life, beginning at 0 %, 10 %, … 90 % of it: nothing fails (M6)', async () => {
  const { began } = await frozenStory(story);
  expect(began).toEqual(shares);
}, 240_000);

test('the control plane killed for 30 % of a certificate’s life, beginning at 0 %, 20 %, … 80 % of it: nothing fails (M6)', async () => {
  const kills = [0, 0.2, 0.4, 0.5, 0.6, 0.8];
  const { began } = await killedStory({
    ...story,
    svidLifeMs: 20_000,
    awayMs: 6_000,
    moments: { kind: 'at', shares: kills },
    forMs: 140_000,
  });
  expect(began).toEqual(kills);
}, 240_000);
