import { namespaceOf, type Asked } from './asked.ts';
import type { CompiledRule } from './compiled-rule.ts';
import type { Pattern, Rule } from './model.ts';
import { PathIndex } from './path-index.ts';
import { scheme } from './patterns.ts';
import type { ResolvedOperation } from './scopes.ts';
import { TextIndex, type TextPattern } from './text-index.ts';

type Visit = (rule: CompiledRule) => void;

interface Caller {
  readonly by: 'principals' | 'namespaces';
  readonly pattern: TextPattern;
}

/** Rules by whom they are about. */
class CallerIndex {
  #anyone: CompiledRule[] | undefined;
  /** With their scheme, as calls have them. */
  readonly #principals = new TextIndex<CompiledRule[]>();
  #namespaces: TextIndex<CompiledRule[]> | undefined;

  /** Undefined: anyone. */
  add(rule: CompiledRule, callers: readonly Caller[] | undefined): void {
    if (callers === undefined) addOnce((this.#anyone ??= []), rule);
    for (const { by, pattern } of callers ?? []) {
      const index = by === 'principals' ? this.#principals : (this.#namespaces ??= new TextIndex());
      addOnce(index.at(by === 'principals' ? withScheme(pattern) : pattern, noRules), rule);
    }
  }

  find(asked: Asked, visit: Visit): void {
    if (this.#anyone !== undefined) for (const rule of this.#anyone) visit(rule);
    const { principal } = asked.call;
    if (principal === undefined) return;
    const visitAll = (rules: readonly CompiledRule[]): void => {
      for (const rule of rules) visit(rule);
    };
    this.#principals.find(principal, visitAll);
    const namespace = this.#namespaces && namespaceOf(asked);
    if (namespace !== undefined) this.#namespaces?.find(namespace, visitAll);
  }
}

const noRules = (): CompiledRule[] => [];
const newCallers = (): CallerIndex => new CallerIndex();

/** Rules come one after the other. */
function addOnce(rules: CompiledRule[], rule: CompiledRule): void {
  if (rules.at(-1) !== rule) rules.push(rule);
}

function withScheme(pattern: TextPattern): TextPattern {
  return pattern.kind === 'exact' || pattern.kind === 'prefix' ? { ...pattern, text: scheme + pattern.text } : pattern;
}

/** Rules of a port, or of any. */
class PortIndex {
  readonly paths = new PathIndex<CallerIndex>();
  /** All of them, for calls without a path. */
  readonly opaque = new CallerIndex();
}

/** A rule of many callers, ports and paths is kept under all three only while that many places suffice. */
const maxPlaces = 1_024;

/**
 * Rules by port, path and caller, so that a decision looks at those alone that may be about it. Paths come before callers:
 * an app has few of them, and what many calls pass stays in the processor's cache.
 */
export class RuleIndex {
  readonly #ports = new Map<number, PortIndex>();
  readonly #anyPort = new PortIndex();

  add(compiled: CompiledRule, rule: Rule, operations: readonly ResolvedOperation[]): void {
    const callers = callersOf(rule);
    const allPaths = pathsOf(operations) ?? [undefined];
    const allPorts = portsOf(rule, operations);
    const paths = (callers?.length ?? 1) * allPaths.length > maxPlaces ? [undefined] : allPaths;
    const places = (callers?.length ?? 1) * paths.length * (allPorts?.length ?? 1);
    for (const index of this.#indexesOf(places > maxPlaces ? undefined : allPorts)) {
      index.opaque.add(compiled, callers);
      for (const path of paths) index.paths.at(path, newCallers).add(compiled, callers);
    }
  }

  /** Those that may match, in no order, some perhaps several times. */
  find(asked: Asked, visit: Visit): void {
    find(this.#anyPort, asked, visit);
    const port = this.#ports.get(asked.call.port);
    if (port !== undefined) find(port, asked, visit);
  }

  #indexesOf(ports: readonly number[] | undefined): readonly PortIndex[] {
    if (ports === undefined) return [this.#anyPort];
    return [...new Set(ports)].map((port) => {
      const index = this.#ports.get(port) ?? new PortIndex();
      this.#ports.set(port, index);
      return index;
    });
  }
}

function find(index: PortIndex, asked: Asked, visit: Visit): void {
  if (asked.path === undefined) index.opaque.find(asked, visit);
  else index.paths.find(asked.path, (callers) => callers.find(asked, visit));
}

/**
 * Whether each of a rule's sources says no more than the callers under whom it is kept: being found is then the proof, of
 * callers of the own trust domain. A text at an ID's end could reach into its scheme, so it proves nothing.
 */
export function isProvedByIndex({ from }: Rule): boolean {
  return from.every((source) => {
    const [field, ...more] = Object.keys(source);
    if (more.length > 0) return false;
    return (
      field === 'namespaces' || (field === 'principals' && source.principals?.every(({ kind }) => kind !== 'suffix'))
    );
  });
}

/** Undefined: anyone may be meant. */
function callersOf({ from, when }: Rule): readonly Caller[] | undefined {
  const lists = from.map(({ principals, namespaces }) => {
    return callerList('principals', principals) ?? callerList('namespaces', namespaces);
  });
  if (lists.length > 0 && lists.every((list) => list !== undefined)) return lists.flat();
  for (const { key, values } of when) {
    if (key.of === 'source.principal' && values !== undefined) return callerList('principals', values);
    if (key.of === 'source.namespace' && values !== undefined) return callerList('namespaces', values);
  }
  return undefined;
}

function callerList(by: Caller['by'], patterns: readonly Pattern[] | undefined): readonly Caller[] | undefined {
  return patterns?.filter(isTextPattern).map((pattern) => ({ by, pattern }));
}

function isTextPattern(pattern: Pattern): pattern is TextPattern {
  return pattern.kind !== 'template' && pattern.kind !== 'below';
}

function portsOf({ when }: Rule, operations: readonly ResolvedOperation[]): readonly number[] | undefined {
  const lists = operations.map(({ operation }) => operation.ports);
  if (lists.length > 0 && lists.every((list) => list !== undefined)) return lists.flat();
  const condition = when.find(({ key, values }) => key.of === 'destination.port' && values !== undefined);
  return condition?.values?.flatMap((pattern) => (pattern.kind === 'exact' ? [Number(pattern.text)] : []));
}

function pathsOf(operations: readonly ResolvedOperation[]): readonly Pattern[] | undefined {
  const lists = operations.map(
    ({ operation, alternatives }) => operation.paths ?? alternatives?.map(({ path }) => path),
  );
  return lists.length > 0 && lists.every((list) => list !== undefined) ? lists.flat() : undefined;
}
