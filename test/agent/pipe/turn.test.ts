import { expect, test } from 'vitest';
import { later } from '#agent/pipe/turn.ts';
import { turns } from '#support/turns.ts';

test('all that waits is flushed once, in order, after the turn; also what a flush adds', async () => {
  const flushed: string[] = [];
  later({
    flush() {
      flushed.push('session');
      later({ flush: () => flushed.push('its pipe') });
    },
  });
  later({ flush: () => flushed.push('another pipe') });
  expect(flushed).toEqual([]);
  await turns(1);
  expect(flushed).toEqual(['session', 'another pipe', 'its pipe']);
  await turns(2);
  expect(flushed).toHaveLength(3);
});

test('a fault in one does not leave the others waiting', async () => {
  const flushed: string[] = [];
  const faults: string[] = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', (fault) => faults.push(fault.message));
  later({
    flush: () => {
      throw new Error('a bug');
    },
  });
  later({ flush: () => flushed.push('the next') });
  await turns(3);
  for (const listener of before) process.on('uncaughtException', listener);
  expect([faults, flushed]).toEqual([['a bug'], ['the next']]);
});
