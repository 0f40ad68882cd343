import { expect, test } from 'vitest';
import { systemClock, systemRandom } from '#runtime/system-clock.ts';

test('a sleep ends with the signal’s own reason', async () => {
  const stop = new AbortController();
  const sleeping = systemClock.sleep(60_000, stop.signal);
  stop.abort(new Error('we are stopping'));
  await expect(sleeping).rejects.toThrow('we are stopping');
  await expect(systemClock.sleep(1, stop.signal)).rejects.toThrow('we are stopping');
});

test('a delay longer than a timer can take does not fire at once', async () => {
  const stop = new AbortController();
  let fired = 0;
  const timer = systemClock.timer(2 ** 40, () => (fired += 1));
  const sleeping = systemClock.sleep(2 ** 40, stop.signal).then(() => (fired += 1));
  await systemClock.sleep(20);
  stop.abort(new Error('enough'));
  await expect(sleeping).rejects.toThrow('enough');
  timer.cancel();
  expect(fired).toBe(0);
});

test('the monotonic clock goes forward and chance stays in its bounds', () => {
  const before = systemClock.monotonic();
  expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before);
  expect(systemRandom()).toBeGreaterThanOrEqual(0);
  expect(systemRandom()).toBeLessThan(1);
});
