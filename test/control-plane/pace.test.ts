import { expect, test } from 'vitest';
import { throttle } from '#control-plane/discovery/throttle.ts';
import { createPace } from '#control-plane/limits.ts';
import { createFakeClock } from '#support/fake-clock.ts';

const never = new AbortController().signal;

test('a caller is held to its pace, and nothing is lost', async () => {
  const clock = createFakeClock(0);
  const pace = createPace({ burst: 2, perSecond: 5 }, clock);
  const turns: number[] = [];
  void (async () => {
    for (let turn = 0; turn < 5; turn += 1) {
      await pace.turn(never);
      turns.push(clock.monotonic());
    }
  })();
  await clock.advance(1000);
  expect(turns).toEqual([0, 0, 200, 400, 600]);
});

test('whoever leaves while it waits does not hold up the others', async () => {
  const clock = createFakeClock(0);
  const pace = createPace({ burst: 1, perSecond: 1 }, clock);
  await pace.turn(never);
  const gone = new AbortController();
  const waits = Array.from({ length: 100 }, () => pace.turn(gone.signal));
  gone.abort();
  await Promise.all(waits);
  const turn = pace.turn(never);
  await clock.advance(1000);
  await turn;
  expect(clock.waiting()).toBe(0);
});

test('changes are passed on at once, and what follows is gathered', async () => {
  const clock = createFakeClock(0);
  const passed: string[] = [];
  const take = throttle((key: string) => passed.push(`${key} ${clock.monotonic()}`), 100, clock);
  for (const key of ['a', 'a', 'b', 'a']) take(key);
  await clock.advance(500);
  take('a');
  expect(passed).toEqual(['a 0', 'b 0', 'a 100', 'a 500']);
});
