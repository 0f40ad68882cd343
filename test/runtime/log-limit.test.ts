import { expect, test } from 'vitest';
import { limitLog } from '#runtime/log-limit.ts';
import { createFakeClock } from '#support/fake-clock.ts';

type Event = { readonly event: 'denied' | 'rotated'; readonly number: number };

test('a flood is thinned out, counted, and never touches other events', async () => {
  const clock = createFakeClock(0);
  const lines: object[] = [];
  const emit = limitLog<Event>((event) => lines.push(event), {
    limited: new Set(['denied']),
    burst: 3,
    perSecond: 1,
    clock,
  });
  for (let number = 1; number <= 10; number += 1) emit({ event: 'denied', number });
  emit({ event: 'rotated', number: 0 });
  await clock.advance(1_000);
  emit({ event: 'denied', number: 11 });
  emit({ event: 'denied', number: 12 });
  expect(lines).toEqual([
    { event: 'denied', number: 1 },
    { event: 'denied', number: 2 },
    { event: 'denied', number: 3 },
    { event: 'rotated', number: 0 },
    { event: 'denied', number: 11, suppressed: 7 },
  ]);
});
