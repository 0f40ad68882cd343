import { expect, test } from 'vitest';
import { readLines } from '#cli/policy/learn/line-reader.ts';

const running = new AbortController().signal;

async function* chunksOf(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function linesOf(text: string, size: number): Promise<string[]> {
  const lines: string[] = [];
  await readLines(chunksOf(text, size), (line) => void lines.push(line ?? 'too-long'), running);
  return lines;
}

test.each([1, 2, 3, 7, 1_000])('lines are the same in chunks of %d bytes', async (size) => {
  expect(await linesOf('one\n\ntwö\r\nthree', size)).toEqual(['one', '', 'twö\r', 'three']);
  expect(await linesOf('one\n', size)).toEqual(['one']);
  expect(await linesOf('', size)).toEqual([]);
});

test.each([65_536, 10_000_000])('a line of more than 1 MiB is passed over in chunks of %d bytes', async (size) => {
  const [most, more] = ['a'.repeat(1_048_576), 'b'.repeat(1_048_577)];
  expect(await linesOf(`x\n${more}\n${most}\ny\n${more}${more}`, size)).toEqual([
    'x',
    'too-long',
    most,
    'y',
    'too-long',
  ]);
});

test('it ends when it is told to', async () => {
  const stopping = new AbortController();
  const reading = readLines(chunksOf('a\nb\nc\n', 2), () => stopping.abort(new Error('enough')), stopping.signal);
  await expect(reading).rejects.toThrow('enough');
});
