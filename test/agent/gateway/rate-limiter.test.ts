import { describe, expect, test } from 'vitest';
import { RateLimiter, type RateLimits } from '#agent/gateway/rate-limiter.ts';

const limiter = (limits: Partial<RateLimits> = {}): RateLimiter =>
  new RateLimiter({ perSecond: 10, burst: 3, maxIdleCallers: 2, maxConnectionsPerCaller: 2, ...limits });

/** How many of `times` requests at one moment pass. */
const passing = (rate: { take(nowMs: number): number }, nowMs: number, times = 10): number =>
  Array.from({ length: times }, () => rate.take(nowMs)).filter((waitMs) => waitMs === 0).length;

describe('one caller', () => {
  test('has a burst at once, then one request in each interval', () => {
    const rate = limiter().enter('a')!;
    expect(passing(rate, 0)).toBe(3);
    expect(rate.take(0)).toBe(100);
    expect(rate.take(60)).toBe(40);
    expect(passing(rate, 100)).toBe(1);
    expect(passing(rate, 350)).toBe(2);
  });

  test('has no more than a burst after a long silence', () => {
    const rate = limiter().enter('a')!;
    expect(passing(rate, 0)).toBe(3);
    expect(passing(rate, 3_600_000)).toBe(3);
  });

  test('shares its rate between its connections, and comes back to what it left', () => {
    const rates = limiter();
    const [one, other] = [rates.enter('a')!, rates.enter('a')!];
    expect(passing(one, 0)).toBe(3);
    expect(passing(other, 0)).toBe(0);
    one.leave();
    other.leave();
    expect(passing(rates.enter('a')!, 0)).toBe(0);
  });

  test('has no connection beyond so many', () => {
    const rates = limiter();
    const one = rates.enter('a')!;
    rates.enter('a');
    expect(rates.enter('a')).toBeUndefined();
    one.leave();
    expect(rates.enter('a')).toBeDefined();
  });

  test('does not slow down another', () => {
    const rates = limiter();
    passing(rates.enter('a')!, 0);
    expect(passing(rates.enter('b')!, 0)).toBe(3);
  });
});

test('what is remembered of callers who left is bounded, and those with a connection are never forgotten', () => {
  const rates = limiter();
  const stays = rates.enter('stays')!;
  passing(stays, 0);
  for (let at = 0; at < 1_000; at += 1) {
    const rate = rates.enter(`caller ${at}`)!;
    passing(rate, 0);
    rate.leave();
  }
  expect(rates.size).toBe(3);
  expect(passing(rates.enter('stays')!, 0)).toBe(0);
  expect(passing(rates.enter('caller 999')!, 0), 'among the last').toBe(0);
  expect(passing(rates.enter('caller 1')!, 0), 'forgotten').toBe(3);
});
