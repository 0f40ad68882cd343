import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SendQueue } from '#agent/h2/send-queue.ts';
import { takeSlab } from '#agent/pipe/slabs.ts';

test('what leaves the queue is what was pushed, in frames of any size, although slabs are used again meanwhile', () => {
  const size = fc.oneof(
    fc.integer({ min: 1, max: 300 }),
    fc.integer({ min: 15_000, max: 25_000 }),
    fc.constant(170_000),
  );
  const move = fc.record({ size, takes: fc.array(fc.integer({ min: 1, max: 20_000 }), { maxLength: 12 }) });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 12 }), (moves) => {
      const queue = new SendQueue();
      const [given, taken]: [Buffer[], Buffer[]] = [[], []];
      const take = (atMost: number): void => {
        const bytes = queue.peek(atMost);
        expect(bytes.length).toBeGreaterThan(0);
        expect(bytes.length).toBeLessThanOrEqual(atMost);
        taken.push(Buffer.from(bytes));
        queue.drop(bytes.length);
        takeSlab(100_000).fill('!'); // somebody else's now, if the queue gave it back
      };
      for (const [index, { size: length, takes }] of moves.entries()) {
        const bytes = Buffer.alloc(length, `${index}.`);
        given.push(Buffer.from(bytes));
        queue.push(bytes);
        bytes.fill(0);
        for (const atMost of takes) if (queue.bytes > 0) take(atMost);
      }
      while (queue.bytes > 0) take(16_384);
      expect(Buffer.concat(taken).equals(Buffer.concat(given))).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('a cleared queue is empty and takes bytes again', () => {
  const queue = new SendQueue();
  queue.push(Buffer.alloc(200_000));
  queue.drop(queue.peek(1_000).length);
  queue.clear();
  expect(queue.bytes).toBe(0);
  queue.push(Buffer.from('again'));
  expect(String(queue.peek(100))).toBe('again');
});
