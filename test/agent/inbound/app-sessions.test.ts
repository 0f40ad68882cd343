import { expect, test } from 'vitest';
import { AppSessions } from '#agent/inbound/app-sessions.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { stageLimits } from '#support/stage-app.ts';

const times = { firstMs: 300_000, headMs: 10_000, idleMs: 300_000, stallMs: 300_000 };

test('so many may wait for an app that does not answer; the others hear so at once (A54)', () => {
  const heard: string[] = [];
  let dials = 0;
  const sessions = new AppSessions(
    () => {
      dials += 1;
      return () => undefined;
    },
    { clock: createFakeClock(0), limits: stageLimits, times, queue: { maxRequests: 2 } },
  );
  const waiter = (name: string) => ({
    onSession: () => void heard.push(`${name} may`),
    onUnreachable: (problem: string) => void heard.push(`${name} ${problem}`),
  });
  const second = waiter('second');
  for (const each of [waiter('first'), second, waiter('third')]) expect(sessions.session(each)).toBeUndefined();
  expect(heard).toEqual(['third too-many-requests']);
  sessions.forget(second); // it left: there is room again
  sessions.session(waiter('fourth'));
  expect([heard.length, dials]).toEqual([1, 1]);
  sessions.close();
});
