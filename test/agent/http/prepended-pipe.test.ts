import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { dialBy } from '#agent/http/dial.ts';
import { prependPipe } from '#agent/http/prepended-pipe.ts';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { createMemoryPipes } from '#support/memory-pipe.ts';
import { quiet } from './h1-stage.ts';

test('bytes that somebody has read come first, once the new reader is ready, and then the rest', async () => {
  const { a, b, deliver } = createMemoryPipes({ delivery: 'manual' });
  const pipe = prependPipe(b, Buffer.from('early'));
  const heard: string[] = [];
  pipe.reader = {
    ...quiet,
    onBytes: (bytes) => void heard.push(bytes.toString()),
    onEnd: () => void heard.push('end'),
  };
  a.write(Buffer.from('late'));
  deliver();
  await nextTurn();
  expect(heard).toEqual([]);
  pipe.resume();
  expect(heard).toEqual([]); // never from inside a call
  pipe.pause();
  await nextTurn();
  expect(heard).toEqual([]);
  pipe.resume();
  await nextTurn();
  deliver();
  expect(heard).toEqual(['early', 'late']);
  a.end();
  deliver();
  expect(heard).toEqual(['early', 'late', 'end']);
  expect(pipe.isOpen).toBe(false);
});

test('a reader that pauses at the early bytes gets no more', async () => {
  const { a, b, deliver } = createMemoryPipes({ delivery: 'manual' });
  const pipe = prependPipe(b, Buffer.from('early'));
  const heard: string[] = [];
  pipe.reader = {
    ...quiet,
    onBytes(bytes) {
      heard.push(bytes.toString());
      pipe.pause();
    },
  };
  a.write(Buffer.from('late'));
  pipe.resume();
  await nextTurn();
  deliver();
  expect(heard).toEqual(['early']);
});

test('what is written goes through, and a cut drops the early bytes', async () => {
  const { a, b, deliver } = createMemoryPipes({ delivery: 'manual' });
  const pipe = prependPipe(b, Buffer.from('early'));
  let cuts = 0;
  pipe.reader = { ...quiet, onBytes: () => expect.unreachable(), onCut: () => void (cuts += 1) };
  a.reader = quiet;
  pipe.resume();
  pipe.writeText('x');
  pipe.write(Buffer.from('y'));
  pipe.flush();
  expect(b.written.toString()).toBe('xy');
  pipe.cut();
  await nextTurn();
  deliver();
  expect(cuts).toBe(1);
  expect(prependPipe(b, Buffer.alloc(0))).toBe(b);
});

test('a dial by promise calls back once, and not after it was stopped: a late pipe is cut', async () => {
  const attempts: ((result: Result<Pipe, 'down'>) => void)[] = [];
  const dial = dialBy<'down'>(() => new Promise((resolve) => attempts.push(resolve)));
  const heard: Result<Pipe, 'down'>[] = [];
  dial((dialed) => heard.push(dialed));
  const stop = dial((dialed) => heard.push(dialed));
  const stopDown = dial((dialed) => heard.push(dialed));
  stop();
  stopDown();
  const { a, b } = createMemoryPipes({ delivery: 'manual' });
  a.reader = quiet;
  attempts[0]!(ok(a));
  attempts[1]!(ok(b));
  attempts[2]!(refuse('down'));
  await nextTurn();
  expect(heard).toEqual([ok(a)]);
  expect(b.state.cut).toBe(true);
});
