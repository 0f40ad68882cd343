import { describe, expect, test } from 'vitest';
import { isoTime, parseDuration, parseIsoTime, showDuration } from '#cli/time-text.ts';

describe('a duration', () => {
  test.each([
    ['500ms', 500],
    ['25s', 25_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['0s', undefined],
    ['1d', undefined],
    ['-1s', undefined],
    ['1.5s', undefined],
    ['1 s', undefined],
    ['s', undefined],
    ['', undefined],
  ])('"%s" is %s ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    [-5_000, '0s'],
    [999, '0s'],
    [42_900, '42s'],
    [99_999, '99s'],
    [125_000, '2m 05s'],
    [3_599_999, '59m 59s'],
    [7_800_000, '2h 10m'],
  ])('%d ms is shown as %s', (ms, text) => {
    expect(showDuration(ms)).toBe(text);
  });
});

test('a time survives the way to text and back', () => {
  expect(isoTime(1_700_000_000_123)).toBe('2023-11-14T22:13:20.123Z');
  expect(parseIsoTime(isoTime(1_700_000_000_123))).toBe(1_700_000_000_123);
});
