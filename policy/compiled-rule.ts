import type { Call, Condition, HttpCall, Operation, Rule, Source } from './model.ts';
import { HostSet, PatternSet } from './match.ts';
import { scheme } from './patterns.ts';
import type { ResolvedOperation } from './scopes.ts';

/** What a rule does where it matches. */
export type Effect = 'allow' | 'deny' | 'audit' | 'would-allow' | 'would-deny';

export interface Asked {
  readonly call: Call;
  /** The path that is judged; undefined: opaque. */
  readonly path: string | undefined;
}

/** A rule that is about this workload. */
export interface CompiledRule {
  /** `namespace/name rules[3]`. */
  readonly name: string;
  /** Position among all rules: of several that match, the first is named. */
  readonly order: number;
  readonly effect: Effect;
  readonly matches: (asked: Asked) => boolean;
}

/**
 * Where something cannot be told, or several values of a header say different things: `narrow` takes it for no match (of
 * what admits), `wide` for one (of what refuses or notes). So doubt never lets anybody in.
 */
export type Doubt = 'narrow' | 'wide';

type Test = (asked: Asked) => boolean;

/** What a rule demands. */
interface Demands extends Pick<Rule, 'from' | 'when'> {
  readonly operations: readonly ResolvedOperation[];
  readonly doubt: Doubt;
}

/**
 * Tests of rules, one for all that demand the same: where a thousand callers may do the same things, a few tests stay in
 * the processor's cache instead of a thousand.
 */
export class RuleTests {
  readonly #tests = new Map<string, Test>();

  of(demands: Demands): Test {
    const key = JSON.stringify(demands);
    const test = this.#tests.get(key) ?? ruleTest(demands);
    this.#tests.set(key, test);
    return test;
  }
}

/** One test of a whole rule. */
export function ruleTest({ from, when, operations, doubt }: Demands): Test {
  const sources = from.map(sourceTest);
  const asked = operations.map((operation) => operationTest(operation, doubt));
  const conditions = when.map((condition) => conditionTest(condition, doubt));
  return (call) => matchesAny(sources, call) && matchesAny(asked, call) && matchesAll(conditions, call);
}

/** No alternatives: no limit. */
function matchesAny(tests: readonly Test[], asked: Asked): boolean {
  if (tests.length === 0) return true;
  for (const test of tests) if (test(asked)) return true;
  return false;
}

function matchesAll(tests: readonly Test[], asked: Asked): boolean {
  for (const test of tests) if (!test(asked)) return false;
  return true;
}

function sourceTest({ principals, notPrincipals, namespaces, notNamespaces }: Source): Test {
  const tests = [
    ...listTests(principals && new PatternSet(principals), notPrincipals && new PatternSet(notPrincipals), principalOf),
    ...listTests(namespaces && new PatternSet(namespaces), notNamespaces && new PatternSet(notNamespaces), namespaceOf),
  ];
  return (asked) => matchesAll(tests, asked);
}

/** Without its scheme. */
export const principalOf = ({ call }: Asked): string | undefined => call.principal?.slice(scheme.length);

/** `ns/<namespace>/sa/<service account>` behind the trust domain; other IDs have no namespace. */
const namespaceForm = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/[^/]+$/;

export function namespaceOf({ call }: Asked): string | undefined {
  return call.principal && namespaceForm.exec(call.principal)?.[1];
}

interface TextSet {
  has(text: string): boolean;
}

/** Who proved nothing is in no list, and so in none of those that are excluded. */
function listTests(
  wanted: TextSet | undefined,
  excluded: TextSet | undefined,
  textOf: (asked: Asked) => string | undefined,
): readonly Test[] {
  const has = (set: TextSet, text: string | undefined): boolean => text !== undefined && set.has(text);
  return [
    ...(wanted === undefined ? [] : [(asked: Asked) => has(wanted, textOf(asked))]),
    ...(excluded === undefined ? [] : [(asked: Asked) => !has(excluded, textOf(asked))]),
  ];
}

function operationTest({ operation, alternatives }: ResolvedOperation, doubt: Doubt): Test {
  const { ports, notPorts, hosts, notHosts, methods, notMethods, paths, notPaths } = operation;
  const [wanted, excluded] = [ports && new Set(ports), notPorts && new Set(notPorts)];
  const tests: Test[] = [
    ...listTests(hosts && new HostSet(hosts), notHosts && new HostSet(notHosts), ({ call }) => call.http?.host),
    ...listTests(
      methods && new PatternSet(methods),
      notMethods && new PatternSet(notMethods),
      ({ call }) => call.http?.method,
    ),
    ...listTests(paths && new PatternSet(paths), notPaths && new PatternSet(notPaths), ({ path }) => path),
  ];
  if (alternatives !== undefined) {
    const sets = alternatives.map(({ method, path }) => ({ method, paths: new PatternSet([path]) }));
    tests.push(({ call, path }) => {
      return path !== undefined && sets.some((each) => each.method === call.http?.method && each.paths.has(path));
    });
  }
  return (asked) => {
    if (wanted?.has(asked.call.port) === false || excluded?.has(asked.call.port) === true) return false;
    if (asked.call.http === undefined) return tests.length === 0 || doubt === 'wide';
    return matchesAll(tests, asked);
  };
}

function conditionTest({ key, values, notValues }: Condition, doubt: Doubt): Test {
  const [wanted, excluded] = [values && new PatternSet(values), notValues && new PatternSet(notValues)];
  if (key.of === 'request.headers') return headerTest(key.name, { wanted, excluded, doubt });
  const textOf = {
    'source.principal': principalOf,
    'source.namespace': namespaceOf,
    'destination.port': ({ call }: Asked) => String(call.port),
  }[key.of];
  const tests = listTests(wanted, excluded, textOf);
  return (asked) => matchesAll(tests, asked);
}

interface HeaderSets {
  readonly wanted: PatternSet | undefined;
  readonly excluded: PatternSet | undefined;
  readonly doubt: Doubt;
}

/** A header that is there twice: which of them the app takes is not known, so what admits looks at all of them. */
function headerTest(name: string, { wanted, excluded, doubt }: HeaderSets): Test {
  const hold = (values: readonly string[], test: (value: string) => boolean): boolean =>
    doubt === 'narrow' ? values.every(test) : values.some(test);
  const matches = (http: HttpCall): boolean => {
    const values = http.header(name);
    if (wanted !== undefined && !(values.length > 0 && hold(values, (value) => wanted.has(value)))) return false;
    return excluded === undefined || values.length === 0 || hold(values, (value) => !excluded.has(value));
  };
  return ({ call: { http } }) => (http === undefined ? doubt === 'wide' : matches(http));
}

/** The first field of an operation that can be judged of HTTP only. */
export function httpFieldOf(operation: Operation): string | undefined {
  const { ports: _ports, notPorts: _notPorts, ...http } = operation;
  return Object.keys(http)[0];
}
