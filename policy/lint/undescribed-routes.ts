import { documentName, isNear, rootNamespaceOf } from '#policy/compile.ts';
import type { ObservedCall } from '#policy/learn/observations.ts';
import { RouteTree, type Budget, type Route } from '#policy/learn/route-tree.ts';
import type { PolicyDocument, PolicyName } from '#policy/model.ts';
import { PathIndex } from '#policy/path-index.ts';
import { PatternSet } from '#policy/match.ts';

interface Described {
  readonly method: string;
  readonly paths: PatternSet;
}

/** Requests to a workload, whoever made them, that no scope template describes. */
export interface UndescribedRoute extends Route {
  /** `namespace/name`. */
  readonly to: string;
  readonly method: string;
  /** So many calls of one path in which no object is named: what they are about stands elsewhere, if anywhere. */
  readonly isOpaque: boolean;
}

const thresholds = { identifiers: 5, words: 50 };
const bytesOfEntry = 500;
const manyCalls = 100;

/**
 * Which requests no scope template describes; templates of the called workload's namespace and of the root's count. Holds
 * at most `maxBytes`, about.
 */
export class UndescribedRoutes {
  /** Requests that there was no room for. */
  left = 0;
  readonly #documents: readonly PolicyDocument[];
  readonly #budget: Budget;
  /** By namespace. */
  readonly #indexes = new Map<string, PathIndex<Described[]>>();
  /** By workload, then method. */
  readonly #found = new Map<string, Map<string, RouteTree>>();

  constructor(documents: readonly PolicyDocument[], maxBytes: number) {
    this.#documents = documents;
    this.#budget = { used: 0, limit: maxBytes };
  }

  /** What is opaque asks for no scope. */
  note({ workload, http }: ObservedCall): void {
    if (http === undefined || this.#isDescribed(workload, http)) return;
    const key = documentName(workload);
    const methods = this.#found.get(key) ?? new Map<string, RouteTree>();
    const known = methods.get(http.method);
    const tree = known ?? new RouteTree(thresholds, this.#budget);
    const bytes = known === undefined ? bytesOfEntry + 2 * (key.length + http.method.length) : 0;
    if (this.#budget.used + bytes > this.#budget.limit || !tree.add(http.path)) {
      this.left += 1;
      return;
    }
    this.#budget.used += bytes;
    this.#found.set(key, methods.set(http.method, tree));
  }

  /** Those that were called most come first. */
  routes(): readonly UndescribedRoute[] {
    const routes = [...this.#found].flatMap(([to, methods]) =>
      [...methods].flatMap(([method, tree]) =>
        tree
          .routes()
          .map((route) => ({ to, method, ...route, isOpaque: !route.isTemplate && route.calls >= manyCalls })),
      ),
    );
    return routes.toSorted((a, b) => b.calls - a.calls || (textOf(a) < textOf(b) ? -1 : 1));
  }

  #isDescribed(
    { namespace }: PolicyName,
    { method, path }: { readonly method: string; readonly path: string },
  ): boolean {
    let is = false;
    this.#indexOf(namespace).find(path, (described) => {
      is ||= described.some((each) => each.method === method && each.paths.has(path));
    });
    return is;
  }

  #indexOf(namespace: string): PathIndex<Described[]> {
    const known = this.#indexes.get(namespace);
    if (known !== undefined) return known;
    const index = new PathIndex<Described[]>();
    const root = rootNamespaceOf(this.#documents);
    for (const document of this.#documents) {
      if (document.kind !== 'ScopeTemplates' || !isNear(document.namespace, { namespace }, root)) continue;
      for (const { method, path } of document.scopes) {
        index.at(path, () => []).push({ method, paths: new PatternSet([path]) });
      }
    }
    this.#indexes.set(namespace, index);
    return index;
  }
}

function textOf({ to, method, path }: { readonly to: string; readonly method: string; readonly path: string }): string {
  return `${to} ${method} ${path}`;
}
