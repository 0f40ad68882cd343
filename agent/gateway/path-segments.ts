import { refuse, ok, type Result } from '#runtime/result.ts';

const plain = /^(?:\/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9_~!$&'()*+,=:@.-]*)*\/?$/;

/**
 * The segments of a target's path as every reader must take them: percent-decoded once, without a `/` at the end. What
 * one reader would take for another path than the next is refused: dot segments, empty ones, encoded slashes,
 * backslashes, control characters, `%` without two digits, bytes that are no UTF-8 (RFC 3986, sections 3.3 and 5.2.4).
 */
export function pathSegments(target: string): Result<readonly string[], 'ambiguous-path'> {
  const end = target.indexOf('?');
  const path = end < 0 ? target : target.slice(0, end);
  if (path === '/') return ok([]);
  if (path.charCodeAt(0) !== 0x2f) return refuse('ambiguous-path');
  const whole = path.endsWith('/') ? path.slice(1, -1) : path.slice(1);
  const segments = whole.split('/');
  if (plain.test(path)) return ok(segments);
  const decoded: string[] = [];
  for (const segment of segments) {
    const text = decode(segment);
    if (text === undefined || isAmbiguous(text)) return refuse('ambiguous-path');
    decoded.push(text);
  }
  return ok(decoded);
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined; // half an escape, or no UTF-8
  }
}

/** Some servers cut parameters (`a;v=1`) off before they look at dots. */
function isAmbiguous(text: string): boolean {
  return /^(;|$)/.test(text) || /^\.\.?(;|$)/.test(text) || /[/\\\x00-\x1f\x7f]/.test(text);
}
