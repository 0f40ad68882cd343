import { expect, test } from 'vitest';
import { longOutageStory } from '#support/long-outage.ts';

test('the control plane away for 20 s past expiry: told before, clear 503s after, and 15 s after its return all is well (M6, A66)', async () => {
  const recoveredInMs = await longOutageStory({ svidLife: '10s', pastExpiryMs: 20_000 });
  console.info(`traffic flowed again ${recoveredInMs} ms after the control plane was back`);
  expect(recoveredInMs).toBeLessThan(15_000);
}, 120_000);
