import type { SpiffeId } from '#certs/spiffe-id.ts';
import { withoutParameters } from '#policy/decide.ts';
import { exactValue } from '#policy/edits.ts';
import type { PolicyName } from '#policy/model.ts';
import { scheme } from '#policy/patterns.ts';
import { RouteTree, type Budget, type Route, type Thresholds } from './route-tree.ts';

export interface CalledWorkload extends PolicyName {
  readonly trustDomain: string;
}

/** A call that was seen: what an access log tells of it, no host and no headers. */
export interface ObservedCall {
  /** Who was called. */
  readonly workload: CalledWorkload;
  readonly principal: SpiffeId;
  readonly port: number;
  /** Undefined: opaque. `path`: normalised, without its query. */
  readonly http: { readonly method: string; readonly path: string } | undefined;
}

export interface ObservedWorkload extends PolicyName {
  readonly callers: readonly ObservedCaller[];
}

export interface ObservedCaller {
  /** Without `spiffe://`. */
  readonly principal: string;
  readonly ports: readonly ObservedPort[];
}

export interface ObservedPort {
  readonly port: number;
  /** Calls that were opaque. */
  readonly opaque: number;
  readonly methods: readonly { readonly method: string; readonly routes: readonly Route[] }[];
}

/** `unwritable`: a document would read its method or path as a pattern. `no-room`: too many different ones were seen. */
export type Taken = 'taken' | 'unwritable' | 'no-room';

interface Port {
  opaque: number;
  readonly methods: Map<string, RouteTree>;
}

interface Workload {
  readonly name: PolicyName;
  readonly callers: Map<string, Map<number, Port>>;
}

const bytesOfEntry = 500;

/**
 * Calls by workload, caller, port and method, their paths as routes. Holds what differs, not what was seen: at most
 * `maxBytes` of it, about.
 */
export class Observations {
  readonly #workloads = new Map<string, Workload>();
  readonly #thresholds: Thresholds;
  readonly #budget: Budget;

  /** `minValues`: so many different identifiers in one place become `{*}`, ten times as many words. */
  constructor({ minValues, maxBytes }: { readonly minValues: number; readonly maxBytes: number }) {
    this.#thresholds = { identifiers: minValues, words: 10 * minValues };
    this.#budget = { used: 0, limit: maxBytes };
  }

  add({ workload, principal, port, http }: ObservedCall): Taken {
    const caller = principal.slice(scheme.length);
    if (exactValue('principals', caller) !== caller) return 'unwritable';
    const paths = http === undefined ? [] : writablePaths(http);
    if (paths === undefined) return 'unwritable';
    const place = this.#placeOf(workload, caller, port);
    if (place === undefined) return 'no-room';
    if (http === undefined) place.opaque += 1;
    const tree = http && (place.methods.get(http.method) ?? this.#newTree(place, http.method));
    if (http !== undefined && tree === undefined) return 'no-room';
    return paths.every((path) => tree?.add(path)) ? 'taken' : 'no-room';
  }

  /** In order of their names. */
  workloads(): readonly ObservedWorkload[] {
    return sorted(this.#workloads).map(([, { name, callers }]) => ({
      ...name,
      callers: sorted(callers).map(([principal, ports]) => ({
        principal,
        ports: [...ports]
          .toSorted(([a], [b]) => a - b)
          .map(([port, { opaque, methods }]) => ({
            port,
            opaque,
            methods: sorted(methods).map(([method, tree]) => ({ method, routes: tree.routes() })),
          })),
      })),
    }));
  }

  #placeOf({ namespace, name }: PolicyName, caller: string, port: number): Port | undefined {
    const key = `${namespace}/${name}`;
    const workload = this.#workloads.get(key) ?? { name: { namespace, name }, callers: new Map() };
    const ports = workload.callers.get(caller) ?? new Map<number, Port>();
    const known = ports.get(port);
    if (known !== undefined) return known;
    if (!this.#takeRoom(key.length + caller.length)) return undefined;
    const place: Port = { opaque: 0, methods: new Map() };
    ports.set(port, place);
    workload.callers.set(caller, ports);
    this.#workloads.set(key, workload);
    return place;
  }

  #newTree(place: Port, method: string): RouteTree | undefined {
    if (!this.#takeRoom(method.length)) return undefined;
    const tree = new RouteTree(this.#thresholds, this.#budget);
    place.methods.set(method, tree);
    return tree;
  }

  #takeRoom(characters: number): boolean {
    const bytes = bytesOfEntry + 2 * characters;
    if (this.#budget.used + bytes > this.#budget.limit) return false;
    this.#budget.used += bytes;
    return true;
  }
}

/** A path with parameters must be admitted without them too; undefined: not all of it can be written exactly. */
function writablePaths({ method, path }: { readonly method: string; readonly path: string }) {
  const bare = path.includes(';') ? withoutParameters(path) : undefined;
  if (bare?.ok === false || exactValue('methods', method) !== method) return undefined;
  const paths = bare === undefined || bare.value === path ? [path] : [path, bare.value];
  return paths.every((each) => exactValue('paths', each) === each) ? paths : undefined;
}

function sorted<T>(map: ReadonlyMap<string, T>): (readonly [string, T])[] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
