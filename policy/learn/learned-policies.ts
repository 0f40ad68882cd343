import { exactly } from '#policy/edits.ts';
import type { AuthorizationPolicy, Operation, Pattern, Rule } from '#policy/model.ts';
import type { ObservedCaller, ObservedPort, ObservedWorkload } from './observations.ts';
import { anySegment } from './route-tree.ts';

/**
 * The least ALLOW policies that admit what was seen: one for each workload, its callers with the same operations in one
 * rule. Names callers, ports, methods and paths; hosts and headers are not known. A port that a caller used as opaque
 * is open to it whatever it speaks there: nothing narrower can be written.
 */
export function learnedPolicies(workloads: readonly ObservedWorkload[]): readonly AuthorizationPolicy[] {
  return workloads.map(({ namespace, name, callers }) => ({
    kind: 'AuthorizationPolicy',
    dialect: 'eastwest.dev/v1',
    namespace,
    name: `learned-${name}`,
    selector: { app: name },
    action: 'ALLOW',
    rules: rulesOf(callers),
  }));
}

function rulesOf(callers: readonly ObservedCaller[]): readonly Rule[] {
  return grouped(callers, ({ ports }) => operationsOf(ports)).map(([to, those], index) => ({
    path: `rules[${index}]`,
    isDryRun: false,
    from: [{ principals: those.map(({ principal }) => exactly(principal)) }],
    to,
    when: [],
  }));
}

/** Ports, methods and paths of one operation are all of their combinations, each of which was seen. */
function operationsOf(ports: readonly ObservedPort[]): readonly Operation[] {
  const [opaque, http] = [ports.filter((each) => each.opaque > 0), ports.filter((each) => each.opaque === 0)];
  return [
    ...(opaque.length === 0 ? [] : [{ ports: opaque.map(({ port }) => port) }]),
    ...grouped(http, requestsOf).flatMap(([requests, those]) =>
      requests.map((request) => ({ ports: those.map(({ port }) => port), ...request })),
    ),
  ];
}

function requestsOf({ methods }: ObservedPort): readonly Omit<Operation, 'ports'>[] {
  const byPath = new Map<string, string[]>();
  for (const { method, routes } of methods) {
    for (const { path } of routes) byPath.set(path, [...(byPath.get(path) ?? []), method]);
  }
  const paths = [...byPath].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return grouped(paths, ([, those]) => those).map(([those, alike]) => ({
    methods: those.map(exactly),
    paths: alike.map(([path]) => patternOf(path)),
  }));
}

function patternOf(path: string): Pattern {
  const segments = path.split('/').slice(1);
  if (!segments.includes(anySegment)) return exactly(path);
  return {
    kind: 'template',
    segments: segments.map((text) => (text === anySegment ? { kind: 'one' } : { kind: 'literal', text })),
  };
}

/** Items with an equal value, in the order of the first of each. */
function grouped<T, V>(items: readonly T[], valueOf: (item: T) => V): readonly (readonly [V, readonly T[]])[] {
  const groups = new Map<string, [V, T[]]>();
  for (const item of items) {
    const value = valueOf(item);
    const key = JSON.stringify(value);
    const group = groups.get(key) ?? [value, []];
    group[1].push(item);
    groups.set(key, group);
  }
  return [...groups.values()];
}
