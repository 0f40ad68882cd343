import { expect, test } from 'vitest';
import { printable, printableLines } from '#cli/printable.ts';

test('what a refused caller sent cannot steer the terminal of who looks into it', () => {
  expect(printable('\u009b31m\u001b[2J\r\na\u202eb\u2028')).toBe('?31m?[2J??a?b?');
  expect(printableLines('  has  \u009b31m\n  é ok\n')).toBe('  has  ?31m\n  é ok\n');
});
