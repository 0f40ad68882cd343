import { ok, refuse, type Result } from '#runtime/result.ts';

/** Why a path is not read: another reader could take it for another one, or for none. */
export type PathProblem =
  | 'relative-path'
  /** None of visible ASCII, or a `?`: the query is no part of a path. */
  | 'bad-path-character'
  | 'fragment'
  /** Literal or encoded: some readers take it for a slash. */
  | 'backslash'
  | 'encoded-slash'
  | 'encoded-nul'
  /** A percent sign without two hexadecimal digits. */
  | 'bad-percent-encoding'
  /** An encoded percent sign before two hexadecimal digits: who decodes twice reads another path. */
  | 'double-encoding'
  /** Overlong forms and surrogates included. */
  | 'not-utf8'
  /** `..;v=1`: some readers cut parameters off before they look at dots. */
  | 'dot-segment-with-parameters'
  | 'above-root';

const slash = 0x2f;

/** Something to do or to refuse: few paths hold any of it. */
const odd = /[^!"$&->@-[\]-~]|\/(?:\/|\.\.?(?:\/|;|$))/;
const notOfPaths = /[^!"$->@-[\]-~]/;
const forbiddenEncoding = /%(?:2F|5C|00|25[0-9A-Fa-f]{2})/;
const dotsWithParameters = /^\.\.?(?:;|%3B)/;

/**
 * The one spelling of a path, without its query: unreserved characters decoded (RFC 3986, section 2.3), other encodings
 * in upper-case digits, slashes merged, then dot segments removed (section 5.2.4); a slash at the end stays. `*` of
 * OPTIONS is itself. Never longer than what came, and its own spelling.
 */
export function normalizePath(path: string): Result<string, PathProblem> {
  if (path.charCodeAt(0) === slash && !odd.test(path)) return ok(path);
  if (path === '*') return ok(path);
  const unified = unifyEncodings(path);
  return unified.ok ? removeDotSegments(unified.value) : unified;
}

/** Each character in its one spelling, segments as they came: for who would rather refuse than remove some of them. */
export function unifyEncodings(path: string): Result<string, PathProblem> {
  if (path.charCodeAt(0) !== slash) return refuse('relative-path');
  const bad = notOfPaths.exec(path)?.[0];
  if (bad !== undefined) return refuse(characterProblem(bad));
  const unified = respell(path);
  if (unified === undefined) return refuse('bad-percent-encoding');
  const forbidden = forbiddenEncoding.exec(unified)?.[0];
  if (forbidden !== undefined) return refuse(encodingProblem(forbidden));
  return isUtf8(unified) ? ok(unified) : refuse('not-utf8');
}

function characterProblem(character: string): PathProblem {
  if (character === '\\') return 'backslash';
  return character === '#' ? 'fragment' : 'bad-path-character';
}

/** As a byte stands in a path, by the two digits that it may be encoded in. */
const spellings: ReadonlyMap<string, string> = new Map(
  '0123456789ABCDEFabcdef'
    .split('')
    .flatMap((high, _, digits) => digits.map((low) => [high + low, spellingOf(high + low)])),
);

function spellingOf(digits: string): string {
  const character = String.fromCharCode(parseInt(digits, 16));
  return /[A-Za-z0-9._~-]/.test(character) ? character : `%${digits.toUpperCase()}`;
}

/** With every encoding in its one spelling; undefined where one is none. */
function respell(path: string): string | undefined {
  let unified = '';
  let from = 0;
  for (let at = path.indexOf('%'); at >= 0; at = path.indexOf('%', from)) {
    const spelling = spellings.get(path.slice(at + 1, at + 3));
    if (spelling === undefined) return undefined;
    unified += path.slice(from, at) + spelling;
    from = at + 3;
  }
  return from === 0 ? path : unified + path.slice(from);
}

function encodingProblem(encoding: string): PathProblem {
  if (encoding === '%2F') return 'encoded-slash';
  if (encoding === '%5C') return 'backslash';
  return encoding === '%00' ? 'encoded-nul' : 'double-encoding';
}

function isUtf8(path: string): boolean {
  if (!/%[89A-F]/.test(path)) return true;
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

function removeDotSegments(path: string): Result<string, PathProblem> {
  const kept: string[] = [];
  let last = '';
  for (const segment of path.split('/')) {
    last = segment;
    if (segment === '' || segment === '.') continue;
    if (dotsWithParameters.test(segment)) return refuse('dot-segment-with-parameters');
    if (segment !== '..') kept.push(segment);
    else if (kept.pop() === undefined) return refuse('above-root');
  }
  if (kept.length === 0) return ok('/');
  const isFolder = last === '' || last === '.' || last === '..';
  return ok(`/${kept.join('/')}${isFolder ? '/' : ''}`);
}
