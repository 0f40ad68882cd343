import { expect, test } from 'vitest';
import { longOutageStory } from '#support/long-outage.ts';

test('the control plane away past expiry: good until then, told before, clear 503s after; back again, all heals by itself (M6, A66)', async () => {
  const recoveredInMs = await longOutageStory({ svidLife: '7s', pastExpiryMs: 2_000 });
  expect(recoveredInMs).toBeLessThan(15_000);
}, 60_000);
