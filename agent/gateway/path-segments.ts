import { unifyEncodings } from '#policy/path.ts';
import { refuse, ok, type Result } from '#runtime/result.ts';

/** An empty segment, or one of dots, perhaps only once its parameters (`a;v=1`) are cut off; a control character. */
const ambiguous = /\/(?:\.\.?)?(?:\/|;|%3B)|\/\.\.?$|%[01]|%7F/;

/**
 * The segments of a target's path as every reader must take them: percent-decoded once, without a `/` at the end. What
 * one reader would take for another path than the next is refused, also what a callee's agent would repair: the path goes
 * on as it came, and not every callee has an agent (RFC 3986, sections 3.3 and 5.2.4).
 */
export function pathSegments(target: string): Result<readonly string[], 'ambiguous-path'> {
  const end = target.indexOf('?');
  const path = unifyEncodings(end < 0 ? target : target.slice(0, end));
  if (!path.ok || ambiguous.test(path.value)) return refuse('ambiguous-path');
  const segments = path.value.split('/').slice(1);
  if (segments.at(-1) === '') segments.pop();
  return ok(path.value.includes('%') ? segments.map((segment) => decodeURIComponent(segment)) : segments);
}
