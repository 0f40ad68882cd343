import { describe, expect, test } from 'vitest';
import { BlockWriter } from '#agent/access-log/block-writer.ts';
import type { LineOutput } from '#agent/access-log/line-output.ts';
import { createFakeClock } from '#support/fake-clock.ts';

const bounds = { blockBytes: 30, gatherMs: 250, maxBytes: 100, retryMs: 50 };

/** An output that takes when the test says so. */
function stage() {
  const clock = createFakeClock(0);
  const asked: { text: string; answer: (written: number | 'failed') => void }[] = [];
  let closed = 0;
  const output: LineOutput = {
    write: (bytes, answer) => void asked.push({ text: bytes.toString(), answer }),
    close: () => void (closed += 1),
  };
  const writer = new BlockWriter(output, clock, bounds);
  const take = (written?: number | 'failed'): string => {
    const { text, answer } = asked.shift()!;
    answer(written ?? text.length);
    return text;
  };
  return { clock, writer, asked, take, closed: () => closed };
}

test('lines wait for each other for a moment, and leave in one block', async () => {
  const { clock, writer, asked, take } = stage();
  writer.write('one\n');
  writer.write('two\n');
  expect(asked).toHaveLength(0);
  await clock.advance(250);
  expect(take()).toBe('one\ntwo\n');
  expect(clock.waiting()).toBe(0);
});

test('a full block leaves at once, and while it is written the next one gathers', () => {
  const { writer, asked, take } = stage();
  writer.write('a'.repeat(30));
  for (const line of ['b\n', 'c\n', 'd\n']) writer.write(line);
  expect(asked).toHaveLength(1);
  take();
  expect(take()).toBe('b\nc\nd\n');
});

test('a block that was taken in parts goes on where it stopped; one that was not taken is offered again', async () => {
  const { clock, writer, take, asked } = stage();
  writer.write('one\ntwo\n');
  await clock.advance(250);
  take(4);
  expect(take(0)).toBe('two\n');
  expect(asked).toHaveLength(0);
  await clock.advance(50);
  expect(take()).toBe('two\n');
  expect(writer.dropped).toBe(0);
});

describe('an output that does not keep up costs lines and nothing else', () => {
  test('what does not fit is dropped and counted', async () => {
    const { clock, writer, take, asked } = stage();
    for (let at = 0; at < 1_000; at += 1) writer.write('123456789\n');
    expect(writer.dropped).toBe(990);
    expect(asked).toHaveLength(1);
    take();
    take();
    await clock.advance(1_000);
    writer.write('on again\n');
    await clock.advance(250);
    expect(take()).toBe('on again\n');
  });

  test('lines that cannot be written are dropped and counted', async () => {
    const { clock, writer, take } = stage();
    writer.write('one\n');
    writer.write('two\n');
    await clock.advance(250);
    take('failed');
    expect(writer.dropped).toBe(2);
    writer.write('three\n');
    await clock.advance(250);
    expect(take()).toBe('three\n');
  });
});

describe('at the end', () => {
  test('what waits is written, then the output is closed', async () => {
    const { writer, take, closed } = stage();
    writer.write('last\n');
    const ending = writer.close(500);
    expect(closed()).toBe(0);
    expect(take()).toBe('last\n');
    await ending;
    expect(closed()).toBe(1);
  });

  test('an output that takes nothing is not waited for any longer than that', async () => {
    const { clock, writer, closed } = stage();
    writer.write('last\n');
    const ending = writer.close(500);
    await clock.advance(500);
    await ending;
    expect(closed()).toBe(1);
  });

  test('nothing waits: nothing is written', async () => {
    const { writer, asked, closed } = stage();
    await writer.close(500);
    expect([asked.length, closed()]).toEqual([0, 1]);
  });
});
