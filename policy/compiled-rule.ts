import type { Condition, HttpCall, Operation, Pattern, Rule, Source } from './model.ts';
import { namespaceOf, principalOf, type Asked, type Doubt, type Test } from './asked.ts';
import { foreignMatch, namesAllInFull, type Exemptions } from './foreign-caller.ts';
import { HostSet, PatternSet } from './match.ts';
import { namesDomain } from './patterns.ts';
import type { ResolvedOperation } from './scopes.ts';
import { isTokenKey, sourceTexts, tokenSourceFields, tokenTest, tokenTexts } from './token-fields.ts';

/** What a rule does where it matches. */
export type Effect = 'allow' | 'deny' | 'audit' | 'would-allow' | 'would-deny';

/** A rule that is about this workload. */
export interface CompiledRule {
  /** `namespace/name rules[3]`. */
  readonly name: string;
  /** Position among all rules: of several that match, the first is named. */
  readonly order: number;
  readonly effect: Effect;
  /** Of a caller of the own trust domain, or without an identity. */
  readonly matchesOwn: Test;
  /** Undefined: the same. */
  readonly matchesForeign: Test | undefined;
}

export function matches({ matchesOwn, matchesForeign }: CompiledRule, asked: Asked): boolean {
  if (matchesForeign !== undefined && asked.isForeign) return matchesForeign(asked);
  return matchesOwn(asked);
}

/** What a rule demands. */
export interface Demands extends Pick<Rule, 'from' | 'when'> {
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

/** One test of a whole rule, as it is written. */
export function ruleTest({ from, when, operations, doubt }: Demands, exemptions: Exemptions = 'as-written'): Test {
  const sources = from.map((source) => sourceTest(source, exemptions, doubt));
  const asked = operationsTest(operations, doubt);
  const conditions = conditionsTest(when, doubt, exemptions);
  return (call) => matchesAny(sources, call) && asked(call) && conditions(call);
}

/** The same for foreign callers; undefined: by a rule that names all whom it is about in full. Made when the first of them asks: most workloads never see one. */
export function foreignRuleTest(demands: Demands): Test | undefined {
  if (namesAllInFull(demands)) return undefined;
  let test: Test | undefined;
  return (asked) => (test ??= newForeignTest(demands))(asked);
}

function newForeignTest({ from, when, operations, doubt }: Demands): Test {
  const asked = operationsTest(operations, doubt);
  const caller = foreignMatch(
    { from, when, doubt },
    {
      source: (source, exemptions) => sourceTest(source, exemptions, doubt),
      conditions: (exemptions) => conditionsTest(when, doubt, exemptions),
    },
  );
  return (call) => caller(call) && asked(call);
}

function operationsTest(operations: readonly ResolvedOperation[], doubt: Doubt): Test {
  const tests = operations.map((operation) => operationTest(operation, doubt));
  return (asked) => matchesAny(tests, asked);
}

function conditionsTest(when: readonly Condition[], doubt: Doubt, exemptions: Exemptions): Test {
  const tests = when.map((condition) => conditionTest(condition, doubt, exemptions));
  return (asked) => matchesAll(tests, asked);
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

function sourceTest(source: Source, exemptions: Exemptions, doubt: Doubt): Test {
  const { principals, notPrincipals, namespaces, notNamespaces } = source;
  const tests = [
    ...listTests(principals && new PatternSet(principals), exemptedPrincipals(notPrincipals, exemptions), principalOf),
    ...listTests(namespaces && new PatternSet(namespaces), exemptedNamespaces(notNamespaces, exemptions), namespaceOf),
    ...tokenTests(source, doubt),
  ];
  return (asked) => matchesAll(tests, asked);
}

function tokenTests(source: Source, doubt: Doubt): readonly Test[] {
  return tokenSourceFields.flatMap((field) => {
    const list = source[field];
    if (list === undefined) return [];
    const set = new PatternSet(list);
    const sets = field.startsWith('not') ? { wanted: undefined, excluded: set } : { wanted: set, excluded: undefined };
    return [tokenTest((token) => sourceTexts(field, token), sets, doubt)];
  });
}

function exemptedPrincipals(list: readonly Pattern[] | undefined, exemptions: Exemptions): TextSet | undefined {
  return list && new PatternSet(exemptions === 'as-written' ? list : list.filter(namesDomain));
}

function exemptedNamespaces(list: readonly Pattern[] | undefined, exemptions: Exemptions): TextSet | undefined {
  return exemptions === 'as-written' ? list && new PatternSet(list) : undefined;
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
    const sets = alternatives.map(({ scope, method, path }) => ({ scope, method, paths: new PatternSet([path]) }));
    tests.push(({ call: { http }, path }) => {
      if (path === undefined) return false;
      const isCovered = (scope: string): boolean => doubt === 'wide' || http?.token?.scopes.includes(scope) === true;
      return sets.some((each) => each.method === http?.method && each.paths.has(path) && isCovered(each.scope));
    });
  }
  return (asked) => {
    if (wanted?.has(asked.call.port) === false || excluded?.has(asked.call.port) === true) return false;
    if (asked.call.http === undefined) return tests.length === 0 || doubt === 'wide';
    return matchesAll(tests, asked);
  };
}

function conditionTest(condition: Condition, doubt: Doubt, exemptions: Exemptions): Test {
  const { key, values, notValues } = condition;
  const [wanted, excluded] = [values && new PatternSet(values), notValues && new PatternSet(notValues)];
  if (isTokenKey(key)) return tokenTest((token) => tokenTexts(key, token), { wanted, excluded }, doubt);
  if (key.of === 'request.headers') return headerTest(key.name, { wanted, excluded, doubt });
  const tests = {
    'source.principal': () => listTests(wanted, exemptedPrincipals(notValues, exemptions), principalOf),
    'source.namespace': () => listTests(wanted, exemptedNamespaces(notValues, exemptions), namespaceOf),
    'destination.port': () => listTests(wanted, excluded, ({ call }: Asked) => String(call.port)),
  }[key.of]();
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
