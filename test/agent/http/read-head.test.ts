import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { ByteChannel } from '#agent/http/channel.ts';
import { readRequestHead } from '#agent/http/head.ts';
import { readHead, type HeadRead } from '#agent/http/read-head.ts';

const limits = { maxBytes: 65_536, maxHeaders: 200 };

/** Reads a head that arrives in these pieces, each by itself, from a caller that then waits. */
async function readPieces(pieces: readonly string[]): Promise<{ read: HeadRead<unknown>; parsedBytes: number }> {
  const stream = new PassThrough();
  let parsedBytes = 0;
  const reading = readHead(
    new ByteChannel(stream),
    (bytes) => {
      parsedBytes += bytes.length;
      return readRequestHead(bytes, limits);
    },
    () => undefined,
  );
  for (const piece of pieces) {
    stream.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const read = await Promise.race([reading, new Promise<never>((_, reject) => setImmediate(reject, 'still waiting'))]);
  return { read, parsedBytes };
}

const good = 'GET /a HTTP/1.1\r\nHost: prices\r\nX: y\r\n\r\n';

describe('a head in pieces', () => {
  test('thousands of tiny lines cost in proportion to their bytes, not to the square (A54)', async () => {
    const { read, parsedBytes } = await readPieces([
      'GET / HTTP/1.1\r\n',
      ...Array<string>(15_000).fill('a:\r\n'),
      '\r\n',
    ]);
    expect(read).toEqual({ kind: 'refused', reason: 'too-many-headers' });
    expect(parsedBytes).toBeLessThan(20 * limits.maxBytes);
  });

  test.each([
    ['byte by byte', [...good]],
    ['cut within its end', [good.slice(0, -3), good.slice(-3, -1), good.slice(-1)]],
    ['its end by itself', [good.slice(0, -4), good.slice(-4)]],
  ])('%s is read as soon as it is there', async (_name, pieces) => {
    const { read } = await readPieces(pieces);
    expect(read).toMatchObject({ kind: 'head', head: { method: 'GET', target: '/a', host: 'prices' } });
  });

  test.each([
    ['within a piece', ['GET / HTTP/1.1\r\nHost: a long enough start\r\n', 'X: y\n']],
    ['at the start of a piece', ['GET / HTTP/1.1\r\nHost: a long enough start\r\nX: y', '\n']],
    ['in the first piece', ['GET / HTTP/1.1\n']],
  ])('a lone line feed %s is refused without waiting for more (A50)', async (_name, pieces) => {
    const { read } = await readPieces(pieces);
    expect(read).toEqual({ kind: 'refused', reason: 'bare-line-feed' });
  });
});
