import { describe, expect, test, vi } from 'vitest';
import { defaultClockWatch, watchClock } from '#agent/identity/clock-watch.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { lifeMs, settled, startMs, startRotator } from '#support/rotator-stage.ts';

describe('the wall clock (A68)', () => {
  test.each([3_600_000, -3_600_000, 5_000])('jumps by %i ms: a renewal is tried at once', async (byMs) => {
    const { clock, issuer, rotator, generation } = startRotator({ lifeMs: 20 * 3_600_000 });
    await generation(1);
    const stop = new AbortController();
    const jumps: number[] = [];
    const onJump = (ms: number) => {
      jumps.push(ms);
      rotator.renewNow();
    };
    const watching = watchClock(clock, defaultClockWatch, onJump, stop.signal);
    await clock.advance(10_000);
    expect(jumps).toEqual([]);
    clock.jumpWall(byMs);
    await clock.advance(defaultClockWatch.everyMs);
    expect(jumps).toEqual([byMs]);
    await vi.waitFor(() => expect(issuer.seen).toHaveLength(2));
    stop.abort(new Error('done'));
    await expect(watching).rejects.toThrow('done');
  });

  test('drifts slowly: nothing happens', async () => {
    const clock = createFakeClock(startMs);
    const stop = new AbortController();
    const jumps: number[] = [];
    const watching = watchClock(clock, defaultClockWatch, (ms) => jumps.push(ms), stop.signal);
    for (let at = 0; at < 20; at += 1) {
      clock.jumpWall(900);
      await clock.advance(defaultClockWatch.everyMs);
    }
    stop.abort();
    await expect(watching).rejects.toThrow();
    expect(jumps).toEqual([]);
  });

  test.each([
    { skewMs: 40_000, told: true },
    { skewMs: -20_000, told: false },
  ])('is $skewMs ms off the issuer’s: measured, and renewal reckons with it', async ({ skewMs, told }) => {
    const { clock, issuer, rotator, events, generation } = startRotator({ skewMs, random: 0 });
    await generation(1);
    expect(rotator.status().skewMs).toBe(skewMs);
    expect(events.some(({ event }) => event === 'clock.skewed')).toBe(told);
    await clock.advance(lifeMs / 2 - 1);
    await settled(clock);
    expect(issuer.seen).toHaveLength(1);
    await clock.advance(1);
    await generation(2);
  });
});
