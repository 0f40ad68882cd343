import { expect, test } from 'vitest';
import { createMemoryPipes } from '#support/memory-pipe.ts';
import { createRecordingReader } from '#support/recording-reader.ts';

function joined(options: Parameters<typeof createMemoryPipes>[0] = { delivery: 'manual' }) {
  const pipes = createMemoryPipes(options);
  const atA = createRecordingReader();
  const atB = createRecordingReader();
  pipes.a.reader = atA;
  pipes.b.reader = atB;
  pipes.a.resume();
  pipes.b.resume();
  return { ...pipes, atA, atB };
}

test('bytes and text of one turn arrive together, as one flush', () => {
  const { a, atB, deliver } = joined();
  a.writeText('GET / HTTP/1.1\r\n');
  a.write(Buffer.from('\r\n'));
  expect(atB.story).toEqual([]);
  deliver();
  expect(atB.pieces.map(String)).toEqual(['GET / HTTP/1.1\r\n\r\n']);
  expect(a.flushes).toHaveLength(1);
  expect(String(a.takeWritten())).toBe('GET / HTTP/1.1\r\n\r\n');
  expect(a.takeWritten()).toHaveLength(0);
});

test('they arrive by themselves at the end of the turn', async () => {
  const { a, atB } = joined({});
  a.writeText('hello');
  expect(String(await atB.got(5))).toBe('hello');
});

test('they can be cut into pieces', () => {
  const { a, atB, deliver } = joined({ delivery: 'manual', pieceBytes: 2 });
  a.writeText('hello');
  deliver();
  expect(atB.pieces.map(String)).toEqual(['he', 'll', 'o']);
});

test('an end comes after the bytes, each direction by itself; then both are told that it is closed', () => {
  const { a, b, atA, atB, deliver } = joined();
  a.writeText('last words');
  a.end();
  deliver();
  expect(atB.story).toEqual(['bytes', 'end']);
  b.writeText('answer');
  b.end();
  deliver();
  expect(atA.story).toEqual(['bytes', 'end', 'cut']);
  expect(atB.story).toEqual(['bytes', 'end', 'cut']);
});

test('a cut is told once, to both, and nothing after it', () => {
  const { a, b, atA, atB, deliver } = joined();
  a.writeText('half a mess');
  a.cut();
  a.cut();
  expect(atA.story).toEqual([]);
  deliver();
  b.writeText('into the void');
  deliver();
  expect([atA.story, atB.story]).toEqual([['cut'], ['cut']]);
});

test('a paused reader makes the writer full, and reading on makes room', () => {
  const { a, b, atA, atB, deliver } = joined({ delivery: 'manual', fullBytes: 10 });
  b.pause();
  expect(a.writeText('0123456789')).toBe(true);
  expect(a.writeText('x')).toBe(false);
  deliver();
  expect([atB.story, atA.story, a.unsentBytes]).toEqual([[], [], 11]);
  b.resume();
  deliver();
  expect([atB.story, atA.story, a.unsentBytes]).toEqual([['bytes'], ['drain'], 0]);
});
