import { belowPrefix } from './match.ts';
import type { Pattern, TemplateSegment } from './model.ts';
import { TextIndex } from './text-index.ts';

/** What is kept under patterns of paths, found by a path that they match; under `undefined`, by any. */
export class PathIndex<T> {
  #anyPath: T | undefined;
  readonly #texts = new TextIndex<T>();
  #templates: Node<T> | undefined;

  /** What is kept under a pattern, made where nothing is. */
  at(pattern: Pattern | undefined, make: () => T): T {
    if (pattern === undefined) return (this.#anyPath ??= make());
    if (pattern.kind === 'template') return atTemplate((this.#templates ??= new Node()), pattern.segments, make);
    if (pattern.kind !== 'below') return this.#texts.at(pattern, make);
    return this.#texts.at({ kind: 'prefix', text: belowPrefix(pattern.segments) }, make);
  }

  /** Some of what is found may be kept under a template with texts after its `{**}` that the path does not quite match. */
  find(path: string, visit: (kept: T) => void): void {
    if (this.#anyPath !== undefined) visit(this.#anyPath);
    this.#texts.find(path, visit);
    if (this.#templates !== undefined && path.startsWith('/')) findTemplates(this.#templates, path, 1, visit);
  }
}

/** What is known of templates after some segments. */
class Node<T> {
  literals: Map<string, Node<T>> | undefined;
  one: Node<T> | undefined;
  /** Of the template that ends with `{**}` here. */
  rest: T | undefined;
  /** Of those with texts behind `{**}`, by the end of the path. */
  ends: TextIndex<T> | undefined;
  /** Of the template that ends here. */
  here: T | undefined;
}

function atTemplate<T>(root: Node<T>, segments: readonly TemplateSegment[], make: () => T): T {
  let node = root;
  for (const [index, segment] of segments.entries()) {
    if (segment.kind === 'any') {
      const tail = segments.slice(index + 1).map((each) => `/${each.kind === 'literal' ? each.text : ''}`);
      if (tail.length === 0) return (node.rest ??= make());
      return (node.ends ??= new TextIndex()).at({ kind: 'suffix', text: tail.join('') }, make);
    }
    node = segment.kind === 'literal' ? literalChild(node, segment.text) : (node.one ??= new Node());
  }
  return (node.here ??= make());
}

function literalChild<T>(node: Node<T>, text: string): Node<T> {
  const literals = (node.literals ??= new Map());
  const child = literals.get(text) ?? new Node<T>();
  literals.set(text, child);
  return child;
}

/** `start`: where the next segment begins; beyond the path's end, no segment is left. */
function findTemplates<T>(node: Node<T>, path: string, start: number, visit: (kept: T) => void): void {
  if (start > path.length) {
    if (node.here !== undefined) visit(node.here);
    return;
  }
  if (node.rest !== undefined) visit(node.rest);
  node.ends?.find(path, visit);
  if (node.literals === undefined && node.one === undefined) return;
  const slash = path.indexOf('/', start);
  const end = slash < 0 ? path.length : slash;
  const child = node.literals?.get(path.slice(start, end));
  if (child !== undefined) findTemplates(child, path, end + 1, visit);
  if (node.one !== undefined && end > start) findTemplates(node.one, path, end + 1, visit);
}
