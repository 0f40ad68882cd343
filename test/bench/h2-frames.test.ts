import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { flag, frame, frameType, FrameReader, headerBlock, settingsFrame, settingsIn } from '#bench/h2-frames.ts';

describe('HTTP/2 frames', () => {
  test('are the same however they are cut', () => {
    const bytes = Buffer.concat([
      Buffer.from('skipped'),
      settingsFrame([[4, 1_000_000]]),
      frame(frameType.data, flag.endStream, 3, Buffer.from('hello')),
      frame(frameType.headers, flag.endHeaders, 0x7fffffff, Buffer.alloc(300, 'h')),
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 6 }), (cuts) => {
        const reader = new FrameReader('skipped'.length);
        const seen: unknown[] = [];
        const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        for (const [at, end] of edges.slice(1).entries()) {
          reader.take(bytes.subarray(edges[at], end), ({ type, flags, streamId, payload }) =>
            seen.push([type, flags, streamId, payload.length]),
          );
        }
        expect(seen).toEqual([
          [frameType.settings, 0, 0, 6],
          [frameType.data, flag.endStream, 3, 5],
          [frameType.headers, flag.endHeaders, 0x7fffffff, 300],
        ]);
      }),
    );
  });

  test('settings come back as they were sent', () => {
    const sent = [
      [3, 1000],
      [4, 2 ** 31 - 1],
    ] as const;
    expect([...settingsIn(settingsFrame(sent).subarray(9))]).toEqual(sent);
  });

  test('header fields are literals that no table remembers', () => {
    expect(headerBlock({ te: 'trailers' }).toString('latin1')).toBe('\0\x02te\x08trailers');
  });
});
