import fc from 'fast-check';
import { expect, test } from 'vitest';
import { covers, overlaps, segmentsOf } from '#policy/lint/path-language.ts';
import { PatternSet } from '#policy/match.ts';
import { parseScopePath } from '#policy/path-patterns.ts';

/** Every path of up to five segments of three words, with and without a slash at the end. */
const allPaths = [...new Set(extended(5))];

function extended(depth: number): string[] {
  if (depth === 0) return ['/'];
  return [
    '/',
    ...['a', 'b', 'z'].flatMap((word) => [`/${word}`, ...extended(depth - 1).map((rest) => `/${word}${rest}`)]),
  ];
}

const scopePath = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', '{*}', '{x}'), { maxLength: 2 }),
    fc.constantFrom('', '', '', '/', '/{**}', '/{**}/a', '/{**}/'),
  )
  .map(([segments, end]) => `${segments.map((each) => `/${each}`).join('')}${end}` || '/');

function read(text: string) {
  const path = parseScopePath(text);
  if (!path.ok) throw new Error(`${text} ${path.reason}`);
  return path.value;
}

test('one template covers another, or overlaps it, just where all or some of its paths say so', () => {
  const seen = { covers: 0, overlaps: 0, neither: 0 };
  fc.assert(
    fc.property(scopePath, scopePath, (one, other) => {
      const [a, b] = [read(one), read(other)];
      const [ofA, ofB] = [new PatternSet([a]), new PatternSet([b])];
      const matching = allPaths.filter((path) => ofB.has(path));
      const found = { covers: covers(segmentsOf(a), segmentsOf(b)), overlaps: overlaps(segmentsOf(a), segmentsOf(b)) };
      expect(found).toEqual({
        covers: matching.every((path) => ofA.has(path)),
        overlaps: matching.some((path) => ofA.has(path)),
      });
      seen[found.covers ? 'covers' : found.overlaps ? 'overlaps' : 'neither'] += 1;
    }),
    { numRuns: 2_000 },
  );
  expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(100);
}, 60_000);
