import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from '#runtime/backoff.ts';

const bounds = { baseMs: 100, maxMs: 5_000 };

test.each([
  { attempt: 0, random: 0, expected: 10 },
  { attempt: 0, random: 1, expected: 100 },
  { attempt: 3, random: 1, expected: 800 },
  { attempt: 6, random: 1, expected: 5_000 },
  { attempt: 10_000, random: 1, expected: 5_000 },
])('attempt $attempt with chance $random waits $expected ms', ({ attempt, random, expected }) => {
  expect(backoffMs(attempt, bounds, random)).toBeCloseTo(expected, 6);
});

test('never waits nothing, never longer than the bound', () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
      const ms = backoffMs(attempt, bounds, random);
      expect(ms).toBeGreaterThanOrEqual(bounds.baseMs * 0.1);
      expect(ms).toBeLessThanOrEqual(bounds.maxMs);
    }),
  );
});
