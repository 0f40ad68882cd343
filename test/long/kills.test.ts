import { expect, test } from 'vitest';
import { killStory } from '#support/kills.ts';

test('kill -9 of control plane and agents at 50 random moments: all start again, one CA, nothing issued or spent twice (S42, A69)', async () => {
  const report = await killStory({ kills: 50, pauseMs: [300, 4_000] });
  console.info(report);
  expect(report['controlPlane']).toBeGreaterThan(5);
  expect(report['agents']).toBeGreaterThan(10);
}, 450_000);
