import { ok, refuse, type Result } from '#runtime/result.ts';

/** The value of a header that must be there exactly once, as all headers for proofs must (A19, A20). */
export function oneHeader(values: readonly string[]): Result<string, 'no-header' | 'several-headers'> {
  const [value, ...more] = values;
  if (value === undefined) return refuse('no-header');
  return more.length === 0 ? ok(value) : refuse('several-headers');
}
