import type { GatewayRouteConfig } from '#agent/config-types.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { pathSegments } from './path-segments.ts';

export type RouteProblem = 'unknown-host' | 'no-route' | 'ambiguous-path';

/** Where requests from outside go: by host, then by the longest path prefix, segment by segment. */
export class RouteTable<T> {
  readonly #hosts = new Map<string, Branch<T>>();

  constructor(routes: readonly (GatewayRouteConfig & { readonly to: T })[]) {
    for (const { host, path, to } of routes) {
      let branch = this.#hosts.get(host);
      if (branch === undefined) this.#hosts.set(host, (branch = new Branch()));
      const segments = path === '/' ? [] : path.slice(1).split('/');
      for (const segment of segments) branch = branch.below(segment);
      branch.to = to;
    }
  }

  /** `host`: lower case, with or without a port. `target`: origin form. */
  find(host: string, target: string): Result<T, RouteProblem> {
    const root = this.#rootOf(withoutPort(host));
    if (root === undefined) return refuse('unknown-host');
    const read = pathSegments(target);
    if (!read.ok) return read;
    const segments = read.value;
    const to = longest(root, segments);
    // Some servers cut parameters (`/orders;v=1`) off: where that would lead to another route, nobody knows what was meant.
    const isTwofold = target.includes(';') && longest(root, segments.map(withoutParameters)) !== to;
    if (isTwofold) return refuse('ambiguous-path');
    return to === undefined ? refuse('no-route') : ok(to);
  }

  /** A whole name comes before a wildcard, which stands for one label. */
  #rootOf(host: string): Branch<T> | undefined {
    const dot = host.indexOf('.');
    return this.#hosts.get(host) ?? (dot > 0 ? this.#hosts.get(`*${host.slice(dot)}`) : undefined);
  }
}

class Branch<T> {
  to: T | undefined;
  readonly children = new Map<string, Branch<T>>();

  below(segment: string): Branch<T> {
    let child = this.children.get(segment);
    if (child === undefined) this.children.set(segment, (child = new Branch()));
    return child;
  }
}

/** Of the longest path that these segments begin with. */
function longest<T>(root: Branch<T>, segments: readonly string[]): T | undefined {
  let branch: Branch<T> | undefined = root;
  let { to } = root;
  for (const segment of segments) {
    branch = branch.children.get(segment);
    if (branch === undefined) break;
    to = branch.to ?? to;
  }
  return to;
}

function withoutParameters(segment: string): string {
  const at = segment.indexOf(';');
  return at < 0 ? segment : segment.slice(0, at);
}

function withoutPort(host: string): string {
  const colon = host.lastIndexOf(':');
  return colon < 0 || host.endsWith(']') ? host : host.slice(0, colon);
}
