import type { Pattern, TemplateSegment } from '#policy/model.ts';

/** The segments of a path that a scope stands for: of an exact path or a template. */
export function segmentsOf(path: Pattern): readonly TemplateSegment[] {
  if (path.kind === 'template') return path.segments;
  if (path.kind !== 'exact') throw new Error(`${path.kind} is no path of a scope`);
  return path.text
    .split('/')
    .slice(1)
    .map((text) => ({ kind: 'literal', text }));
}

/** Whether some path matches both. */
export function overlaps(a: readonly TemplateSegment[], b: readonly TemplateSegment[]): boolean {
  return reaches([a, b], ([isOfA, isOfB]) => isOfA === true && isOfB === true);
}

/** Whether every path that matches `b` matches `a` too. */
export function covers(a: readonly TemplateSegment[], b: readonly TemplateSegment[]): boolean {
  return !reaches([a, b], ([isOfA, isOfB]) => isOfA !== true && isOfB === true);
}

/** Positions in a template that some beginning of a path may have led to; its length: the whole of it matched. */
type Positions = readonly number[];

/**
 * Whether some path is what is wanted: which of the templates match it. Paths differ for templates only by the texts that
 * stand in them, by being empty (the last one only), and by being none of all that, so that is all that is tried, segment
 * by segment.
 */
function reaches(
  templates: readonly (readonly TemplateSegment[])[],
  isWanted: (matching: readonly boolean[]) => boolean,
): boolean {
  const texts = templates.flat().flatMap((segment) => (segment.kind === 'literal' ? [segment.text] : []));
  const words = new Set([...texts, '', `${texts.join('')}x`]);
  const seen = new Set<string>();
  const waiting: (readonly Positions[])[] = [templates.map(() => [0])];
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    for (const word of words) {
      const next = templates.map((template, index) => step(template, state[index] ?? [], word));
      if (isWanted(next.map((positions, index) => positions.includes(templates[index]?.length ?? -1)))) return true;
      const key = JSON.stringify(next);
      if (word === '' || seen.has(key)) continue;
      seen.add(key);
      if (next.some((positions) => positions.length > 0)) waiting.push(next);
    }
  }
  return false;
}

/** `{**}` takes one segment or more, also empty ones; `{*}` one that is not. */
function step(template: readonly TemplateSegment[], positions: Positions, word: string): Positions {
  const next = new Set<number>();
  for (const at of positions) {
    const segment = template[at];
    if (segment === undefined) continue;
    if (segment.kind === 'any') next.add(at);
    const isMatch = segment.kind === 'literal' ? segment.text === word : segment.kind === 'any' || word !== '';
    if (isMatch) next.add(at + 1);
  }
  return [...next].toSorted((a, b) => a - b);
}
