import { expect, test } from 'vitest';
import { herdStory } from '#support/herd.ts';
import { keptStateStory } from '#support/kept-state.ts';

// Both wait more than they work: they run beside each other.

test.concurrent('the control plane is back after 40 % of a life: 30 agents have renewed, and never half of them in 200 ms (the long form has all of them overdue)', async () => {
  const { most, issuedAfterwards } = await herdStory({ rotators: 30, svidLifeMs: 40_000, awayFrom: 0.2, awayTo: 0.6 });
  expect(most).toBeLessThan(15);
  expect(issuedAfterwards).toBeGreaterThanOrEqual(30);
}, 60_000);

test.concurrent('an agent with a state folder: killed, it starts again without a token while its SVID is valid; later it names the fix (S40, S42, A69)', async () => {
  const tokens = await keptStateStory({ svidLifeMs: 6_000, kills: 3, withinMs: 1_500 });
  expect(tokens, 'one at the start, one after the expiry').toBe(2);
}, 60_000);
