import { expect, test } from 'vitest';
import { herdStory } from '#support/herd.ts';
import { keptStateStory } from '#support/kept-state.ts';

// Both wait more than they work: they run beside each other.

test.concurrent('the control plane is back after 40 % of a life, when all 30 agents are overdue: never half of them renew in 200 ms', async () => {
  const story = { rotators: 30, svidLifeMs: 60_000, awayFrom: 0.27, awayTo: 0.67 };
  const { most, issuedAfterwards, afterMs } = await herdStory(story);
  console.info(`at most ${most} in 200 ms; ms after it was back: ${afterMs.join(' ')}`);
  expect(issuedAfterwards).toBeGreaterThanOrEqual(30);
  expect(most).toBeLessThan(15);
}, 120_000);

test.concurrent('an agent with a state folder, killed 20 times: it needs no token while its SVID is valid; later it names the fix (S40, S42, A69)', async () => {
  const tokens = await keptStateStory({ svidLifeMs: 6_000, kills: 20, withinMs: 2_500 });
  expect(tokens, 'one at the start, one after the expiry').toBe(2);
}, 180_000);
