import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Gather } from '#agent/pipe/gather.ts';
import { largeBytes } from '#agent/pipe/slabs.ts';

function drain(gather: Gather): Buffer {
  const parts: Buffer[] = [];
  while (gather.length > 0) {
    const part = gather.next();
    parts.push(typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part));
    gather.returnLent();
  }
  return Buffer.concat(parts);
}

test('text alone stays text', () => {
  const gather = new Gather();
  gather.addText('HTTP/1.1 200 OK\r\n');
  gather.addText('\r\n');
  expect([gather.length, gather.next(), gather.length, gather.lent]).toEqual([
    19,
    'HTTP/1.1 200 OK\r\n\r\n',
    0,
    undefined,
  ]);
});

test('a head and a small body are one write', () => {
  const gather = new Gather();
  gather.addText('HTTP/1.1 200 OK\r\n\r\n');
  gather.addBytes(Buffer.from('body'));
  gather.addText('\r\n');
  expect(String(gather.next())).toBe('HTTP/1.1 200 OK\r\n\r\nbody\r\n');
});

test('what comes out is what went in, whatever the sizes, and never more than one slab at a time once there are bytes', () => {
  const piece = fc.record({
    size: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 8_000, max: 9_000 }), fc.constant(90_000)),
    isText: fc.boolean(),
    takenAfter: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const gather = new Gather();
      const given: Buffer[] = [];
      const taken: Buffer[] = [];
      for (const [index, { size, isText, takenAfter }] of pieces.entries()) {
        const bytes = Buffer.alloc(size, `${index}\u00ff`, 'latin1');
        given.push(Buffer.from(bytes));
        if (isText) gather.addText(bytes.toString('latin1'));
        else gather.addBytes(bytes);
        bytes.fill(0);
        if (!takenAfter || gather.length === 0) continue;
        const part = gather.next();
        taken.push(Buffer.from(part as string, 'latin1'));
        if (typeof part !== 'string') expect(part.length).toBeLessThanOrEqual(largeBytes);
        gather.returnLent();
      }
      taken.push(drain(gather));
      expect(Buffer.concat(taken).equals(Buffer.concat(given))).toBe(true);
      expect(gather.length).toBe(0);
    }),
    { numRuns: 200 },
  );
});
