import { isIdentifier } from './segment-form.ts';

/** Of paths that were seen, what they have in common: `{*}` is one segment of any value that is not empty. */
export interface Route {
  /** `/groups/{*}/documents`, with nothing that a document would read as another pattern. */
  readonly path: string;
  readonly isTemplate: boolean;
  readonly calls: number;
}

/** How much all trees that share it may hold together. In bytes, about. */
export interface Budget {
  used: number;
  readonly limit: number;
}

export interface Thresholds {
  /** Identifiers become `{*}` at so many different ones. */
  readonly identifiers: number;
  /** Words, and with them all that stand in the same place, at so many. */
  readonly words: number;
}

export const anySegment = '{*}';
const bytesOfNode = 200;

class Node {
  literals: Map<string, Node> | undefined;
  /** Where `{*}` leads. */
  one: Node | undefined;
  /** What has become `{*}`. */
  opened: 'nothing' | 'identifiers' | 'everything' = 'nothing';
  identifiers = 0;
  words = 0;
  /** That ended here. */
  calls = 0;
}

/**
 * Paths by segments. Where many different values stood in one place under the same segments before, `{*}` takes their
 * place at once, so that memory holds what is written in the end. The same whatever the order in which paths come, as
 * long as there is room. The first segment never becomes `{*}`, nor does the empty one after a slash at the end.
 */
export class RouteTree {
  readonly #root = new Node();
  readonly #thresholds: Thresholds;
  readonly #budget: Budget;

  constructor(thresholds: Thresholds, budget: Budget) {
    this.#thresholds = thresholds;
    this.#budget = budget;
  }

  /** False: there is no room for a path that is new. */
  add(path: string, calls = 1): boolean {
    const segments = path.split('/').slice(1);
    const isFull = this.#budget.used + costOf(segments) > this.#budget.limit;
    if (isFull && !isKnown(this.#root, segments)) return false;
    let node = this.#root;
    for (const [depth, segment] of segments.entries()) node = this.#childOf(node, segment, depth === 0);
    node.calls += calls;
    return true;
  }

  /** In order of their texts, none that another one covers. */
  routes(): readonly Route[] {
    const found: Route[] = [];
    const visit = (node: Node, segments: readonly string[]): void => {
      if (node.calls > 0 && !isCovered(this.#root, segments)) {
        found.push({ path: `/${segments.join('/')}`, isTemplate: segments.includes(anySegment), calls: node.calls });
      }
      for (const [segment, child] of node.literals ?? []) visit(child, [...segments, segment]);
      if (node.one !== undefined) visit(node.one, [...segments, anySegment]);
    };
    visit(this.#root, []);
    return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  #childOf(node: Node, segment: string, isFirst: boolean): Node {
    const known = knownChild(node, segment);
    if (known !== undefined) return known;
    const child = new Node();
    (node.literals ??= new Map()).set(segment, child);
    this.#budget.used += costOf([segment]);
    if (isFirst || segment === '') return child;
    if (isIdentifier(segment)) node.identifiers += 1;
    else node.words += 1;
    this.#openWhereMany(node);
    return knownChild(node, segment) ?? child;
  }

  #openWhereMany(node: Node): void {
    if (node.words >= this.#thresholds.words) this.#open(node, 'everything');
    else if (node.identifiers >= this.#thresholds.identifiers) this.#open(node, 'identifiers');
  }

  #open(node: Node, what: 'identifiers' | 'everything'): void {
    if (node.opened === what || node.opened === 'everything') return;
    node.opened = what;
    const one = (node.one ??= new Node());
    for (const [segment, child] of node.literals ?? []) {
      if (segment === '' || !isOpened(node, segment)) continue;
      node.literals?.delete(segment);
      this.#budget.used -= costOf([segment]);
      this.#merge(one, child);
    }
  }

  /** All of `source` goes into `target`, which is never the root. */
  #merge(target: Node, source: Node): void {
    target.calls += source.calls;
    if (source.opened !== 'nothing') this.#open(target, source.opened);
    for (const [segment, child] of source.literals ?? []) {
      this.#budget.used -= costOf([segment]);
      this.#merge(this.#childOf(target, segment, false), child);
    }
    if (source.one !== undefined && target.one !== undefined) this.#merge(target.one, source.one);
  }
}

function costOf(segments: readonly string[]): number {
  return segments.reduce((sum, { length }) => sum + bytesOfNode + 2 * length, 0);
}

function isOpened({ opened }: Node, segment: string): boolean {
  return opened === 'everything' || (opened === 'identifiers' && isIdentifier(segment));
}

function knownChild(node: Node, segment: string): Node | undefined {
  return node.one !== undefined && segment !== '' && isOpened(node, segment) ? node.one : node.literals?.get(segment);
}

function isKnown(root: Node, segments: readonly string[]): boolean {
  let node: Node | undefined = root;
  for (const segment of segments) node = node && knownChild(node, segment);
  return node !== undefined && node.calls > 0;
}

/** Whether another route, with `{*}` in more places, matches all that this one does. */
function isCovered(root: Node, segments: readonly string[]): boolean {
  const visit = (node: Node | undefined, depth: number, isWider: boolean): boolean => {
    if (node === undefined) return false;
    const segment = segments[depth];
    if (segment === undefined) return isWider && node.calls > 0;
    if (segment === anySegment) return visit(node.one, depth + 1, isWider);
    if (segment !== '' && visit(node.one, depth + 1, true)) return true;
    return visit(node.literals?.get(segment), depth + 1, isWider);
  };
  return visit(root, 0, false);
}
