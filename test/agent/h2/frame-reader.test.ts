import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameReader, type FrameSink } from '#agent/h2/frame-reader.ts';
import { clientPreface, type FrameHead } from '#agent/h2/frames.ts';
import { rawFrame } from '#support/h2-raw.ts';

/** Writes down what it is told; DATA of one frame is joined, however it came. */
class Diary implements FrameSink {
  readonly lines: string[] = [];
  reader: FrameReader | undefined;
  #data: Buffer[] = [];
  #head = '';

  onHead({ type, flags, streamId, length }: FrameHead): void {
    this.#head = `${type} ${flags} ${streamId} ${length}`;
    if (type === 0) this.#data = [];
    else if (type > 9) this.lines.push(`skipped ${this.#head}`);
  }
  onData(streamId: number, flags: number, bytes: Buffer): void {
    this.lines.push(`0 ${flags} ${streamId} ${bytes.length} ${bytes.toString('hex')}`);
  }
  onDataPiece(bytes: Buffer): void {
    this.#data.push(Buffer.from(bytes));
  }
  onDataEnd(): void {
    this.lines.push(`${this.#head} ${Buffer.concat(this.#data).toString('hex')}`);
  }
  onFrame({ length }: FrameHead, bytes: Buffer, at: number): void {
    this.lines.push(`${this.#head} ${bytes.toString('hex', at, at + length)}`);
  }
  onBadPadding(): void {
    this.lines.push('bad padding');
    this.reader?.stop();
  }
  onBadPreface(): void {
    this.lines.push('bad preface');
    this.reader?.stop();
  }
}

function read(pieces: readonly Buffer[], expects: 'preface' | 'frames' = 'frames'): string[] {
  const diary = new Diary();
  const reader = new FrameReader(diary, expects);
  diary.reader = reader;
  for (const piece of pieces) reader.push(Buffer.from(piece));
  return diary.lines;
}

/** Cuts where `cuts` says, as shares of the whole. */
function cutUp(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = cuts.map((share) => Math.floor(share * bytes.length)).toSorted((a, b) => a - b);
  return [...places, bytes.length].map((to, at) => bytes.subarray(at === 0 ? 0 : places[at - 1], to));
}

const cutList = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 });

describe('a frame reader', () => {
  test('passes a whole DATA frame on as a slice of what came', () => {
    const bytes = rawFrame(0, 1, 5, 'abc');
    let slice: Buffer | undefined;
    const diary = new Diary();
    diary.onData = (_streamId, _flags, data): void => void (slice = data);
    new FrameReader(diary, 'frames').push(bytes);
    expect(slice?.buffer).toBe(bytes.buffer);
    expect(slice?.toString()).toBe('abc');
  });

  test('passes DATA on before the frame is complete', () => {
    const pieces: string[] = [];
    const diary = new Diary();
    diary.onDataPiece = (bytes): void => void pieces.push(bytes.toString());
    const reader = new FrameReader(diary, 'frames');
    const frame = rawFrame(0, 0, 1, 'abcdef');
    reader.push(frame.subarray(0, 11));
    expect(pieces).toEqual(['ab']);
    reader.push(frame.subarray(11));
    expect(pieces).toEqual(['ab', 'cdef']);
    expect(diary.lines).toHaveLength(1);
  });

  test('takes padding off, and refuses more than there is', () => {
    expect(read([rawFrame(0, 8, 1, '\x02ab\0\0')])).toEqual(['0 8 1 5 6162']);
    expect(read([rawFrame(0, 8, 1, '\x02\0\0')])).toEqual(['0 8 1 3 ']);
    expect(read([rawFrame(0, 8, 1, '\x03\0\0')])).toEqual(['bad padding']);
    expect(read([rawFrame(0, 8, 1, ''), rawFrame(0, 0, 1, 'a')])).toEqual(['bad padding']);
  });

  test('wants the preface first where it serves', () => {
    expect(read([clientPreface, rawFrame(4, 0, 0)], 'preface')).toEqual(['4 0 0 0 ']);
    expect(read([Buffer.from('GET / HTTP/1.1\r\n')], 'preface')).toEqual(['bad preface']);
    expect(read([clientPreface.subarray(0, 10), Buffer.from('x')], 'preface')).toEqual(['bad preface']);
  });

  test('skips frames of unknown types without keeping them', () => {
    expect(read([rawFrame(0x20, 0, 1, 'x'.repeat(1_000)), rawFrame(0x21, 0, 1), rawFrame(0, 0, 1, 'a')])).toEqual([
      'skipped 32 0 1 1000',
      'skipped 33 0 1 0',
      '0 0 1 1 61',
    ]);
  });

  test('reads the same, however the bytes are cut', () => {
    const frame = fc
      .record({
        type: fc.integer({ min: 0, max: 11 }),
        flags: fc.constantFrom(0, 1, 4, 5),
        streamId: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        payload: fc.uint8Array({ maxLength: 60 }),
        padding: fc.option(fc.integer({ min: 0, max: 20 })),
      })
      .map(({ type, flags, streamId, payload, padding }) =>
        type === 0 && padding !== null
          ? rawFrame(0, flags | 8, streamId, Buffer.concat([Buffer.from([padding]), payload, Buffer.alloc(padding)]))
          : rawFrame(type, flags, streamId, Buffer.from(payload)),
      );
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), cutList, (frames, cuts) => {
        const whole = Buffer.concat([clientPreface, ...frames]);
        expect(read(cutUp(whole, cuts), 'preface')).toEqual(read([whole], 'preface'));
      }),
      { numRuns: 500 },
    );
  });

  test('reads any bytes the same, however they are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), cutList, (bytes, cuts) => {
        const whole = Buffer.from(bytes);
        expect(read(cutUp(whole, cuts))).toEqual(read([whole]));
      }),
      { numRuns: 500 },
    );
  });
});
