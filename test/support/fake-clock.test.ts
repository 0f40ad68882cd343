import { expect, test } from 'vitest';
import { createFakeClock } from './fake-clock.ts';

test('what falls due fires in order, at its own time, and what it sets up on the way fires too', async () => {
  const clock = createFakeClock(1_000_000);
  const fired: string[] = [];
  const note = (name: string) => (): void => void fired.push(`${name} at ${clock.monotonic()}`);
  clock.timer(300, note('late'));
  clock.timer(100, note('early'));
  clock.timer(100, note('early too'));
  clock.timer(200, note('cancelled')).cancel();
  const loop = (async () => {
    for (const name of ['first', 'second']) {
      await clock.sleep(120);
      note(name)();
    }
  })();
  await clock.advance(250);
  expect(fired).toEqual(['early at 100', 'early too at 100', 'first at 120', 'second at 240']);
  expect([clock.now(), clock.monotonic(), clock.waiting()]).toEqual([1_000_250, 250, 1]);
  await loop;
  await clock.advance(50);
  expect(fired.at(-1)).toBe('late at 300');
});

test('a sleep ends with its signal, and leaves nothing waiting', async () => {
  const clock = createFakeClock(0);
  const controller = new AbortController();
  const sleeping = clock.sleep(1000, controller.signal);
  controller.abort(new Error('stop'));
  await expect(sleeping).rejects.toThrow('stop');
  await expect(clock.sleep(1, controller.signal)).rejects.toThrow('stop');
  expect(clock.waiting()).toBe(0);
});

test('the wall jumps alone', async () => {
  const clock = createFakeClock(5000);
  clock.jumpWall(-1000);
  await clock.advance(10);
  expect([clock.now(), clock.monotonic()]).toEqual([4010, 10]);
});
