import { unreachable } from '#runtime/result.ts';
import type { Pattern, TemplateSegment } from './model.ts';

/** Compares one text with one pattern; of a path, its templates too. */
function matchesPattern(pattern: Pattern, text: string): boolean {
  switch (pattern.kind) {
    case 'exact':
      return text === pattern.text;
    case 'prefix':
      return text.startsWith(pattern.text);
    case 'suffix':
      return text.endsWith(pattern.text);
    case 'present':
      return text !== '';
    case 'below':
      return text.startsWith(belowPrefix(pattern.segments));
    case 'template':
      return matchesTemplate(pattern.segments, text);
    default:
      return unreachable(pattern);
  }
}

/** What every path under these segments begins with: `/groups/1/`. */
export function belowPrefix(segments: readonly string[]): string {
  return segments.length === 0 ? '/' : `/${segments.join('/')}/`;
}

/**
 * `{**}` takes what follows its slash up to the texts after it, which may be nothing: `/a/{**}` is `/a/`, `/a/b` and
 * `/a/b/c`, not `/a`; `/a/{**}/z` is `/a/b/z`, not `/a/z` (as Envoy's URI templates have it).
 */
function matchesTemplate(template: readonly TemplateSegment[], path: string): boolean {
  const parts = path.split('/');
  if (parts.shift() !== '') return false;
  for (const [index, segment] of template.entries()) {
    const part = parts[index];
    if (part === undefined) return false;
    if (segment.kind === 'any') return endsWith(parts.slice(index + 1), template.slice(index + 1));
    if (segment.kind === 'literal' ? part !== segment.text : part === '') return false;
  }
  return parts.length === template.length;
}

function endsWith(parts: readonly string[], tail: readonly TemplateSegment[]): boolean {
  const start = parts.length - tail.length;
  return (
    start >= 0 && tail.every((segment, index) => segment.kind === 'literal' && segment.text === parts[start + index])
  );
}

/** Compares a text with all patterns of a list; what is written in full costs the same however many there are. */
export class PatternSet {
  readonly #exact = new Set<string>();
  readonly #others: readonly Pattern[];

  constructor(patterns: readonly Pattern[]) {
    for (const pattern of patterns) if (pattern.kind === 'exact') this.#exact.add(pattern.text);
    this.#others = patterns.filter(({ kind }) => kind !== 'exact');
  }

  has(text: string): boolean {
    return this.#exact.has(text) || this.#others.some((pattern) => matchesPattern(pattern, text));
  }
}

/** Hosts without case and without a dot at the end; with their ports where the pattern names one. */
export class HostSet {
  readonly #names: PatternSet;
  readonly #withPorts: PatternSet;

  constructor(patterns: readonly Pattern[]) {
    this.#names = new PatternSet(patterns.filter((pattern) => !namesPort(pattern)).map(withoutLastDot));
    this.#withPorts = new PatternSet(patterns.filter(namesPort));
  }

  has(host: string): boolean {
    const lower = host.toLowerCase();
    const withoutDot = lower.replace(/\.(?=:\d*$)/, '');
    return this.#withPorts.has(withoutDot) || this.#names.has(nameOf(lower));
  }
}

function namesPort(pattern: Pattern): boolean {
  return 'text' in pattern && (pattern.kind === 'prefix' ? /:\d*$/ : /:\d+$/).test(pattern.text);
}

function withoutLastDot(pattern: Pattern): Pattern {
  const hasDot = (pattern.kind === 'exact' || pattern.kind === 'suffix') && pattern.text.endsWith('.');
  return hasDot ? { ...pattern, text: pattern.text.slice(0, -1) } : pattern;
}

/** `prices.example` of `prices.example.:8080`. */
function nameOf(host: string): string {
  const end = /\.?(?::\d*)?$/.exec(host)?.index ?? host.length;
  return host.slice(0, end);
}
