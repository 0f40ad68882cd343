import type { Pattern } from './model.ts';

export type TextPattern = Exclude<Pattern, { readonly kind: 'template' | 'below' }>;

/**
 * What is kept under patterns, found by a text that they match. Costs one look for each length of prefix and suffix that
 * occurs, however many patterns there are.
 */
export class TextIndex<T> {
  // Made when they are needed: there may be thousands of these, most of them with one text.
  #exact: Map<string, T> | undefined;
  #prefixes: Map<number, Map<string, T>> | undefined;
  #suffixes: Map<number, Map<string, T>> | undefined;
  #present: T | undefined;

  /** What is kept under a pattern, made where nothing is. */
  at(pattern: TextPattern, make: () => T): T {
    if (pattern.kind === 'present') return (this.#present ??= make());
    const map = this.#mapOf(pattern);
    const kept = map.get(pattern.text) ?? make();
    map.set(pattern.text, kept);
    return kept;
  }

  find(text: string, visit: (kept: T) => void): void {
    const exact = this.#exact?.get(text);
    if (exact !== undefined) visit(exact);
    if (this.#present !== undefined && text !== '') visit(this.#present);
    if (this.#prefixes !== undefined) {
      for (const [length, kept] of this.#prefixes) {
        visitAt(kept, text.length < length ? undefined : text.slice(0, length), visit);
      }
    }
    if (this.#suffixes !== undefined) {
      for (const [length, kept] of this.#suffixes) {
        visitAt(kept, text.length < length ? undefined : text.slice(-length), visit);
      }
    }
  }

  #mapOf({ kind, text }: Exclude<TextPattern, { readonly kind: 'present' }>): Map<string, T> {
    if (kind === 'exact') return (this.#exact ??= new Map());
    const byLength = kind === 'prefix' ? (this.#prefixes ??= new Map()) : (this.#suffixes ??= new Map());
    const map = byLength.get(text.length) ?? new Map<string, T>();
    byLength.set(text.length, map);
    return map;
  }
}

function visitAt<T>(kept: ReadonlyMap<string, T>, part: string | undefined, visit: (kept: T) => void): void {
  const found = part === undefined ? undefined : kept.get(part);
  if (found !== undefined) visit(found);
}
