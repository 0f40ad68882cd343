import { describe, expect, test } from 'vitest';
import { HeadGatherer } from '#agent/http/head-gatherer.ts';
import { readRequestHead, type HeadReading, type RequestHead } from '#agent/http/head.ts';

const limits = { maxBytes: 65_536, maxHeaders: 200 };

/** Reads a head that arrives in these pieces, and counts what was parsed on the way. */
function readPieces(pieces: readonly string[]): { reading: HeadReading<RequestHead>; parsedBytes: number } {
  const gatherer = new HeadGatherer();
  let parsedBytes = 0;
  for (const text of pieces) {
    const piece = Buffer.from(text, 'latin1');
    const all = gatherer.isEmpty ? piece : gatherer.add(piece);
    if (all !== undefined) {
      parsedBytes += all.length;
      const reading = readRequestHead(all, limits);
      if (reading.kind !== 'incomplete') return { reading, parsedBytes };
      gatherer.keep(all);
    }
    piece.fill(0xee); // a view kept beyond the call would show
  }
  return { reading: { kind: 'incomplete' }, parsedBytes };
}

const good = 'GET /a HTTP/1.1\r\nHost: prices\r\nX: y\r\n\r\n';

describe('a head in pieces', () => {
  test('thousands of tiny lines cost in proportion to their bytes, not to the square (A54)', () => {
    const { reading, parsedBytes } = readPieces([
      'GET / HTTP/1.1\r\n',
      ...Array<string>(15_000).fill('a:\r\n'),
      '\r\n',
    ]);
    expect(reading).toEqual({ kind: 'refused', reason: 'too-many-headers' });
    expect(parsedBytes).toBeLessThan(20 * limits.maxBytes);
  });

  test.each([
    ['byte by byte', [...good]],
    ['cut within its end', [good.slice(0, -3), good.slice(-3, -1), good.slice(-1)]],
    ['its end by itself', [good.slice(0, -4), good.slice(-4)]],
  ])('%s is read as soon as it is there', (_name, pieces) => {
    const { reading } = readPieces(pieces);
    expect(reading).toMatchObject({ kind: 'complete', head: { method: 'GET', target: '/a', host: 'prices' } });
  });

  test.each([
    ['within a piece', ['GET / HTTP/1.1\r\nHost: a long enough start\r\n', 'X: y\n']],
    ['at the start of a piece', ['GET / HTTP/1.1\r\nHost: a long enough start\r\nX: y', '\n']],
    ['in the first piece', ['GET / HTTP/1.1\n']],
  ])('a lone line feed %s is refused without waiting for more (A50)', (_name, pieces) => {
    expect(readPieces(pieces).reading).toEqual({ kind: 'refused', reason: 'bare-line-feed' });
  });

  test('is forgotten once it is read', () => {
    const gatherer = new HeadGatherer();
    gatherer.keep(Buffer.from(good.slice(0, 9)));
    expect(gatherer.isEmpty).toBe(false);
    gatherer.clear();
    expect(gatherer.isEmpty).toBe(true);
    gatherer.keep(Buffer.from('GET'));
    expect(gatherer.add(Buffer.from(good.slice(3)))?.toString()).toBe(good);
  });
});
