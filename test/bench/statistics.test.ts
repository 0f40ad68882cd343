import { describe, expect, test } from 'vitest';
import { median, percentile, ratio } from '#bench/statistics.ts';

describe('figures of several rounds', () => {
  test.each([
    [[], NaN],
    [[3], 3],
    [[5, 1, 3], 3],
    [[4, 1, 3, 2], 2.5],
  ])('the median of %j is %d', (samples, expected) => {
    expect(median(samples)).toEqual(expected);
  });

  test('a ratio compares what was measured next to each other', () => {
    expect(ratio([10, 40, 10], [20, 80, 5])).toBe(0.5); // 0.5, 0.5 and 2
    expect(ratio([10], [])).toBeNaN();
  });

  test.each([
    [0, 1],
    [0.5, 2],
    [0.51, 3],
    [1, 4],
  ])('a share of %d does not exceed %d', (share, expected) => {
    expect(percentile([4, 2, 3, 1], share)).toBe(expected);
  });
});
