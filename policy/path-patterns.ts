import { ok, refuse, unreachable, type Result } from '#runtime/result.ts';
import type { Dialect, Pattern, TemplateSegment } from './model.ts';
import { normalizePath, type PathProblem } from './path.ts';
import { parsePattern, type ReadPattern } from './patterns.ts';

/** Reads what a path is compared with, in the words of a dialect. Only paths that can reach an app are read. */
export function pathReader(dialect: Dialect): ReadPattern {
  const isOurs = dialect === 'eastwest.dev/v1';
  return (text) => {
    if (/[{}]/.test(text)) return isOurs ? parseOwnTemplate(text) : parseTemplate(text, /^\{\*\*?\}$/);
    const pattern = parsePattern(text);
    if (!pattern.ok || !('text' in pattern.value)) return pattern;
    const problem = spellingProblem(pattern.value);
    if (problem !== undefined) return refuse(problem);
    return isOurs ? wholeSegments(pattern.value) : pattern;
  };
}

/** `/groups/{group}/documents/{document}`: what a scope of ours stands for. */
export function parseScopePath(text: string): Result<Pattern, string> {
  const pattern = pathReader('eastwest.dev/v1')(text);
  if (!pattern.ok || pattern.value.kind === 'exact' || pattern.value.kind === 'template') return pattern;
  return refuse('is open at an end: write a path with variables, e.g. /groups/{group}/documents/{document}');
}

type AffixPattern = Extract<Pattern, { readonly text: string }>;

/** In our dialect a star takes the place of whole segments: `/groups/1*` would match `/groups/10` too (A58). */
function wholeSegments(pattern: AffixPattern): Result<Pattern, string> {
  const { kind, text } = pattern;
  if (kind === 'suffix' && !/^[/.]/.test(text))
    return refuse(`matches longer names too, e.g. /x${text}: write */${text}`);
  if (kind !== 'prefix') return ok(pattern);
  if (!text.endsWith('/')) return refuse(`matches longer names too, e.g. ${text}0: write ${text}/* and ${text}`);
  return ok({ kind: 'below', segments: text.slice(1, -1).split('/').filter(Boolean) });
}

function parseOwnTemplate(text: string): Result<Pattern, string> {
  const whole = text.endsWith('/*') ? `${text.slice(0, -1)}{**}` : text;
  return parseTemplate(whole, /^\{(?:\*\*?|[A-Za-z_][\w-]*)\}$/);
}

function parseTemplate(text: string, operator: RegExp): Result<Pattern, string> {
  if (text.length > 2_048) return refuse('has more than 2048 characters: write a shorter pattern');
  const segments: TemplateSegment[] = [];
  for (const [index, segment] of text.split('/').entries()) {
    const isOperator = operator.test(segment);
    if (!isOperator && /[{}*]/.test(segment)) return refuse(segmentProblem(segment, operator));
    if (isOperator && segments.some(({ kind }) => kind === 'any')) {
      return refuse('has something after {**} that is no plain text: {**} is the last of the operators');
    }
    if (index > 0 || isOperator) segments.push(isOperator ? operatorOf(segment) : { kind: 'literal', text: segment });
  }
  // Names that no encoding changes stand for the operators.
  const [stands, operators] = [text.split('/'), new Map<string, string>()];
  const plain = stands.map((segment, index) => {
    if (!operator.test(segment)) return segment;
    operators.set(`~${index}~`, segment);
    return `~${index}~`;
  });
  const problem = spellingProblem({ kind: 'exact', text: plain.join('/') });
  if (problem === undefined) return ok({ kind: 'template', segments });
  return refuse(problem.replaceAll(/~\d+~/g, (name) => operators.get(name) ?? name));
}

function operatorOf(segment: string): TemplateSegment {
  return { kind: segment === '{**}' ? 'any' : 'one' };
}

function segmentProblem(segment: string, operator: RegExp): string {
  const known = operator.test('{name}') ? '{name}, {*} or {**}' : '{*} or {**}';
  if (!/[{}]/.test(segment)) return `has a "*" beside an operator: write ${known} as a whole segment`;
  return `has ${segment}: a segment is plain text, or as a whole ${known}`;
}

/** What is wrong with a text that is no part of any path that reaches an app. */
function spellingProblem({ kind, text }: AffixPattern): string | undefined {
  if (text.includes('?')) return 'has a "?": the query is no part of the path, leave it out';
  const [before, after] = [kind === 'suffix' ? '/x' : '', kind === 'prefix' ? 'x' : ''];
  const whole = before + text + after;
  const read = normalizePath(whole);
  if (!read.ok) return problemSentence(read.reason);
  if (read.value === whole) return undefined;
  const [start, end] = [kind === 'suffix' ? '*' : '', kind === 'prefix' ? '*' : ''];
  const spelled = read.value.slice(before.length, read.value.length - after.length);
  return `never matches, for paths are normalised before: write ${start}${spelled}${end}`;
}

function problemSentence(problem: PathProblem): string {
  switch (problem) {
    case 'relative-path':
      return 'does not begin with a slash: write /…';
    case 'bad-path-character':
      return 'has characters that no path has: write them percent-encoded, e.g. %20 for a blank';
    case 'fragment':
      return 'has a "#": write it percent-encoded, %23';
    case 'backslash':
    case 'encoded-slash':
    case 'encoded-nul':
    case 'double-encoding':
    case 'dot-segment-with-parameters':
      return `never matches, for such paths are refused before (${problem}): write the path without it`;
    case 'bad-percent-encoding':
      return 'has a "%" without two hexadecimal digits: write %25 for the sign itself';
    case 'not-utf8':
      return 'is no UTF-8 where it is percent-encoded: write e.g. %C3%A9';
    case 'above-root':
      return 'leads above the root: write the path itself';
    default:
      return unreachable(problem);
  }
}
