import { expect, test } from 'vitest';
import { Heartbeat, type Standing } from '#agent/workers/heartbeat.ts';
import { createFakeClock } from '#support/fake-clock.ts';

function stage() {
  const clock = createFakeClock(0);
  const told: Standing[] = [];
  const asked: (() => void)[] = [];
  const ping = (): Promise<void> => new Promise((resolve) => asked.push(resolve));
  const heartbeat = new Heartbeat({ clock, ping, onStanding: (standing) => told.push(standing) });
  return { clock, told, asked, heartbeat, answer: () => asked.at(-1)!() };
}

test('a worker that answers each time is asked once a second, and nothing is told', async () => {
  const { clock, told, asked, answer } = stage();
  for (let seconds = 0; seconds < 60; seconds += 1) {
    answer();
    await clock.advance(1_000);
  }
  expect([asked.length, told]).toEqual([61, []]);
});

test('one that does not is silent at the fifth look, is asked no second time, and answers when it does', async () => {
  const { clock, told, asked, answer } = stage();
  await clock.advance(4_999);
  expect(told).toEqual([]);
  await clock.advance(1);
  expect([told, asked.length]).toEqual([['silent'], 1]);
  answer();
  await clock.advance(1_000);
  expect([told, asked.length]).toEqual([['silent', 'answers'], 2]);
});

test('after thirty looks it is lost, for good, and nobody looks any more', async () => {
  const { clock, told, answer } = stage();
  await clock.advance(60_000);
  expect(told).toEqual(['silent', 'lost']);
  expect(clock.waiting()).toBe(0);
  answer();
  await clock.advance(1_000);
  expect(told).toEqual(['silent', 'lost']);
});

test('nobody looks after the stop', async () => {
  const { clock, told, heartbeat } = stage();
  heartbeat.stop();
  await clock.advance(60_000);
  expect([told, clock.waiting()]).toEqual([[], 0]);
});
