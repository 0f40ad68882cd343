import { expect, test } from 'vitest';
import { createRateLimiter } from '#control-plane/limits.ts';
import { createFakeClock } from '#support/fake-clock.ts';

test('a burst is admitted at once, then as fast as the bucket fills, and each key for itself', async () => {
  const clock = createFakeClock(0);
  const limiter = createRateLimiter({ burst: 2, perSecond: 0.5 }, clock);
  expect([limiter.take('a'), limiter.take('a')]).toEqual([{ admitted: true }, { admitted: true }]);
  expect(limiter.take('a')).toEqual({ admitted: false, retryAfterMs: 2000, report: 1 });
  expect(limiter.take('b')).toEqual({ admitted: true });
  await clock.advance(1500);
  expect(limiter.take('a')).toMatchObject({ admitted: false, retryAfterMs: 500 });
  await clock.advance(500);
  expect(limiter.take('a')).toEqual({ admitted: true });
});

test('refusals are reported at once and then every 10 s with their number', async () => {
  const clock = createFakeClock(0);
  const limiter = createRateLimiter({ burst: 1, perSecond: 0.001 }, clock);
  limiter.take('a');
  const reports = [limiter.take('a'), limiter.take('a'), limiter.take('a')].map((a) => !a.admitted && a.report);
  expect(reports).toEqual([1, 0, 0]);
  await clock.advance(10_000);
  expect(limiter.take('a')).toMatchObject({ report: 3 });
});

test('a wall clock that jumps gives nothing away', () => {
  const clock = createFakeClock(0);
  const limiter = createRateLimiter({ burst: 1, perSecond: 1 }, clock);
  limiter.take('a');
  clock.jumpWall(3_600_000);
  expect(limiter.take('a').admitted).toBe(false);
});

test('keys are bounded: of 30,000 strangers the oldest are forgotten', () => {
  const limiter = createRateLimiter({ burst: 1, perSecond: 0.001 }, createFakeClock(0));
  for (let i = 0; i < 30_000; i += 1) limiter.take(String(i));
  expect(limiter.take('29999').admitted).toBe(false);
  expect(limiter.take('0').admitted).toBe(true);
});
