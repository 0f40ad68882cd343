import { expect, test } from 'vitest';
import { instructionsIn } from '#bench/perf.ts';

test.each([
  ['5203981,,instructions:u,1000,100.00,,\n', 5_203_981],
  ['# started\n\n12,,instructions:u:,1,100.00,,\n', 12],
  ['<not supported>,,instructions:u,0,100.00,,\n', NaN],
  ['', NaN],
])('perf that says %j counted %d instructions', (said, expected) => {
  expect(instructionsIn(said)).toBe(expected);
});
