import { describe, expect, test } from 'vitest';
import { parseWish } from '#bench/arguments.ts';

const parts = ['http', 'tail'];

describe('what the bench is asked for', () => {
  test.each([
    ['', { only: [], effort: 'full', output: 'tables', document: 'write' }],
    ['--quick', { only: [], effort: 'quick', output: 'tables', document: 'write' }],
    ['--no-write', { only: [], effort: 'full', output: 'tables', document: 'leave' }],
    ['--only tail --quick --json', { only: ['tail'], effort: 'quick', output: 'json', document: 'leave' }],
    ['--only http --only tail', { only: ['http', 'tail'], effort: 'full', output: 'tables', document: 'leave' }],
  ])('%s', (words, wish) => {
    expect(parseWish(words.split(' ').filter(Boolean), parts)).toEqual({ ok: true, value: wish });
  });

  test.each([
    ['--help', 'help'],
    ['--only httpp', 'there is no part httpp; there are http, tail'],
    ['--fast', "Unknown option '--fast'"],
  ])('%s is refused: %s', (words, reason) => {
    const parsed = parseWish(words.split(' '), parts);
    expect(parsed.ok ? '' : parsed.reason).toContain(reason);
  });
});
