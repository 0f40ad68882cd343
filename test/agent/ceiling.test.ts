import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Ceiling, Share, takeSeat } from '#agent/ceiling.ts';

function fill(share: Share): number {
  while (!share.isFull) share.enter();
  return share.count;
}

test.each([
  [1, 1],
  [3, 3],
  [10, 8],
  [20_000, 16_000],
])('of a ceiling of %s an only caller has %s', (max, expected) => {
  expect(fill(new Share(new Ceiling(max)))).toBe(expected);
});

test('a second caller has room beside the greediest, and what the first leaves is for both', () => {
  const whole = new Ceiling(100);
  const [first, second] = [new Share(whole), new Share(whole)];
  expect(fill(first)).toBe(80);
  expect(fill(second)).toBe(16);
  expect(first.isFull).toBe(true);
  for (let at = 0; at < 60; at += 1) first.leave();
  expect(fill(second)).toBe(64);
  expect(whole.count).toBe(84);
});

test('a ceiling below another one holds for its own, and counts there too', () => {
  const whole = new Ceiling(10);
  const half = new Ceiling(5, whole);
  const strangers = Array.from({ length: 9 }, () => new Share(half));
  expect(strangers.reduce((sum, share) => sum + fill(share), 0)).toBe(5);
  const peer = new Share(whole);
  expect(fill(peer)).toBe(4);
  expect(whole.count).toBe(9);
  strangers[0]?.leave();
  expect([half.count, whole.count]).toEqual([4, 8]);
  peer.enter();
  peer.enter();
  expect(new Share(half).isFull, 'of the other there is no more').toBe(true);
});

test('whoever comes and goes, the ceiling holds, and nobody is shut out by one alone', () => {
  const step = fc.record({ who: fc.nat(3), enters: fc.boolean() });
  fc.assert(
    fc.property(fc.integer({ min: 5, max: 50 }), fc.array(step, { maxLength: 300 }), (max, steps) => {
      const whole = new Ceiling(max);
      const shares = Array.from({ length: 4 }, () => new Share(whole));
      for (const { who, enters } of steps) {
        const share = shares[who]!;
        if (!enters && share.count > 0) share.leave();
        else if (enters && !share.isFull) share.enter();
      }
      expect(whole.count).toBe(shares.reduce((sum, { count }) => sum + count, 0));
      expect(whole.count).toBeLessThanOrEqual(max);
      const fullest = Math.max(...shares.map(({ count }) => count));
      expect(fullest).toBeLessThan(max);
    }),
  );
});

test('a seat is left once', () => {
  const whole = new Ceiling(1);
  const leave = takeSeat(whole);
  expect(whole.isFull).toBe(true);
  leave();
  leave();
  expect(whole.count).toBe(0);
});
