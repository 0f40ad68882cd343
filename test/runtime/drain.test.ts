import { expect, test } from 'vitest';
import { aborted, runWithDrain } from '#runtime/drain.ts';
import { createFakeClock } from '#support/fake-clock.ts';

test('work that ends by itself before anybody says stop is drained', async () => {
  const clock = createFakeClock(0);
  const stop = new AbortController();
  expect(await runWithDrain(async () => undefined, { stop: stop.signal, drainMs: 1000, clock })).toBe('drained');
});

test('work that finishes within the deadline is drained, and nobody waits for the rest of it', async () => {
  const clock = createFakeClock(0);
  const stop = new AbortController();
  const outcome = runWithDrain(
    async (phases) => {
      await aborted(phases.stop);
      await clock.sleep(400);
      expect(phases.kill.aborted).toBe(false);
    },
    { stop: stop.signal, drainMs: 1000, clock },
  );
  stop.abort();
  await clock.advance(400);
  expect(await outcome).toBe('drained');
  expect(clock.waiting()).toBe(0);
});

test('work that does not finish is killed at the deadline, not before', async () => {
  const clock = createFakeClock(0);
  const stop = new AbortController();
  let isKilled = false;
  const outcome = runWithDrain(
    async (phases) => {
      await aborted(phases.kill);
      isKilled = true;
    },
    { stop: stop.signal, drainMs: 1000, clock },
  );
  stop.abort();
  await clock.advance(999);
  expect(isKilled).toBe(false);
  await clock.advance(1);
  expect(await outcome).toBe('killed');
});

test('a stop that came before the start still leaves the whole deadline', async () => {
  const clock = createFakeClock(0);
  const outcome = runWithDrain((phases) => aborted(phases.kill), { stop: AbortSignal.abort(), drainMs: 50, clock });
  await clock.advance(50);
  expect(await outcome).toBe('killed');
});

test('faults of the work pass through', async () => {
  const clock = createFakeClock(0);
  const running = runWithDrain(() => Promise.reject(new Error('disk')), {
    stop: new AbortController().signal,
    drainMs: 1,
    clock,
  });
  await expect(running).rejects.toThrow('disk');
});
