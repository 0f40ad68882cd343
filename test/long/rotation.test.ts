import { expect, test } from 'vitest';
import { rotationStory } from '#support/rotation-story.ts';

test('2 minutes of 300 requests/s, 20 WebSockets and 20 TCP connections across 10 s certificates: 0 failures (M2)', async () => {
  const result = await rotationStory({ svidLife: '10s', forMs: 120_000, perSecond: 300, longLived: 20, rotations: 15 });
  const sorted = result.latenciesMs.sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1);
  console.log(
    `${result.requests} requests, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${result.messages} messages, ${result.lines} lines`,
  );
  expect(result.messages).toBeGreaterThan(20_000);
}, 240_000);
