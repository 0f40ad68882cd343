import { applyEdits, exactly, exactValue, isPolicyNamed, type PolicyEdit } from './edits.ts';
import { failedIn, holdsOf, untoldIn, type Predicate, type RuleReading } from './explain-rule.ts';
import type { AuthorizationPolicy, Call, Operation, PolicyDocument, Rule, Source, WorkloadFacts } from './model.ts';
import { scheme } from './patterns.ts';
import { patternText } from './policy-yaml.ts';

/** The smallest change after which a refused call is allowed, in the order to apply. */
export type Suggestion =
  | {
      readonly possible: true;
      readonly edits: readonly PolicyEdit[];
      /** Principals that the edited rule names as well: they get what the edit opens, too. */
      readonly alsoFor: readonly string[];
    }
  | { readonly possible: false; readonly why: ImpossibleEdit };

/** `another-token`: what refuses is what the token says, or that there is none; an edit would do away with that demand. */
export type ImpossibleEdit = 'another-token' | 'caller-without-identity' | 'no-exact-value' | 'open-to-own-domain';

export interface Refusal {
  readonly documents: readonly PolicyDocument[];
  readonly workload: WorkloadFacts;
  readonly call: Call;
  /** Of the policies that select the workload. */
  readonly readings: readonly PolicyReading[];
  /** Callers of the own trust domain need no ALLOW policy here: one would shut them out. */
  readonly isOpenByDefault: boolean;
  /** Whether these documents would let the call in. */
  readonly allows: (documents: readonly PolicyDocument[]) => boolean;
}

export interface PolicyReading {
  /** `namespace/name`. */
  readonly policy: string;
  readonly document: AuthorizationPolicy;
  readonly rules: readonly RuleReading[];
}

interface Candidate {
  readonly edits: readonly PolicyEdit[];
  readonly alsoFor: readonly string[];
  /** One for each value, half more for a new alternative, one for everybody else who gets in by it. */
  readonly cost: number;
}

/** More than this, and a new policy is easier to understand. */
const fewChanges = 2;

/**
 * First out of the DENY rules that match, then into the ALLOW rule that needs the fewest changes. Only exact values are
 * added, and nobody gets in whom neither the call nor the edited rule names.
 */
export function suggestEdits(refusal: Refusal): Suggestion {
  const { documents, call, readings, allows } = refusal;
  if (call.principal === undefined) return { possible: false, why: 'caller-without-identity' };
  if (readings.some(asksForAnotherToken)) return { possible: false, why: 'another-token' };
  const caller = call.principal.slice(scheme.length);
  const exemptions = readings
    .filter(isDeny)
    .flatMap((each) => each.rules.flatMap((rule) => exempt(each, rule, caller)));
  const exempted = applyEdits(documents, exemptions);
  if (allows(exempted)) return { possible: true, edits: exemptions, alsoFor: [] };
  if (refusal.isOpenByDefault) return { possible: false, why: 'open-to-own-domain' };
  const found = [...edited(refusal, caller), ...added(refusal, caller)].find(({ edits }) =>
    allows(applyEdits(exempted, edits)),
  );
  if (found === undefined) return { possible: false, why: 'no-exact-value' };
  return { possible: true, edits: [...exemptions, ...found.edits], alsoFor: found.alsoFor };
}

/** A rule that would admit the call with another token, or refuses it because there is none. */
function asksForAnotherToken({ document, rules }: PolicyReading): boolean {
  return rules.some((reading) => {
    if (reading.rule.isDryRun || document.action === 'AUDIT') return false;
    const isMatch = failedIn(reading).length === 0;
    if (document.action === 'DENY') return isMatch && untoldIn(reading).some(({ isOfToken }) => isOfToken === true);
    const { from, to, when } = reading;
    const mayHold = ({ predicates }: RuleReading['to'][number]): boolean =>
      predicates.every(({ holds, isOfToken }) => holds || isOfToken === true);
    return !isMatch && [from, to].every((part) => part.length === 0 || part.some(mayHold)) && when.every(mayHold);
  });
}

function isDeny({ document }: PolicyReading): boolean {
  return document.action === 'DENY';
}

/** The caller is taken out of every source by which the rule matched. */
function exempt({ policy }: PolicyReading, reading: RuleReading, caller: string): PolicyEdit[] {
  if (reading.rule.isDryRun || failedIn(reading).length > 0) return [];
  if (reading.from.length === 0) {
    const value = { notPrincipals: [exactly(caller)] };
    return [{ kind: 'add-source', policy, path: `spec.${reading.rule.path}.from`, isNewList: true, value }];
  }
  return reading.from.flatMap((source, index) => {
    if (!holdsOf(source)) return [];
    const isNewList = reading.rule.from[index]?.notPrincipals === undefined;
    return { kind: 'add-value', policy, path: `${source.path}.source.notPrincipals`, isNewList, value: caller };
  });
}

/** Ways by the ALLOW rules there are, the cheapest first; of equal ones that by which the caller gets least. */
function edited({ readings, call }: Refusal, caller: string): Candidate[] {
  const ways = readings
    .filter(({ document }) => document.action === 'ALLOW' && document.namespace !== '') // a workload's own file is no document
    .flatMap((policy) => policy.rules.map((reading) => ({ policy, reading })))
    .toSorted((a, b) => breadth(a.policy, a.reading) - breadth(b.policy, b.reading))
    .flatMap(({ policy, reading }) => waysInto(policy, reading, { call, caller }));
  return ways.filter(({ cost }) => cost <= fewChanges).toSorted((a, b) => a.cost - b.cost);
}

/** A rule about anything is wider than one about some of it, and a policy for every workload than one for some. */
function breadth({ document }: PolicyReading, { to }: RuleReading): number {
  return (to.length === 0 ? 2 : 0) + (Object.keys(document.selector).length === 0 ? 1 : 0);
}

interface Asked {
  readonly call: Call;
  readonly caller: string;
}

/** Every combination of a way into `from`, one into `to` and the one through `when`. */
function waysInto({ policy }: PolicyReading, reading: RuleReading, { call, caller }: Asked): Candidate[] {
  if (reading.rule.isDryRun) return [];
  const through = conditionWay(policy, reading);
  if (through === undefined) return [];
  const others = namedExactly(reading.rule)?.filter((name) => name !== caller);
  return sourceWays(policy, reading, caller).flatMap((source) =>
    operationWays(policy, reading, call).flatMap((operation) => {
      const isWider = operation.edits.length > 0 || through.edits.length > 0;
      if (isWider && others === undefined) return [];
      const alsoFor = isWider ? (others ?? []) : [];
      return {
        edits: [...source.edits, ...operation.edits, ...through.edits],
        alsoFor,
        cost: source.cost + operation.cost + through.cost + alsoFor.length,
      };
    }),
  );
}

/** The principals of a rule; undefined where it may match some that it does not name. */
function namedExactly({ from }: Rule): readonly string[] | undefined {
  const isNamed = (source: Source): boolean => source.principals?.every(({ kind }) => kind === 'exact') === true;
  if (from.length === 0 || !from.every(isNamed)) return undefined;
  return [...new Set(from.flatMap(({ principals = [] }) => principals.map(patternText)))];
}

interface Way {
  readonly edits: readonly PolicyEdit[];
  readonly cost: number;
}

const nothingToDo: Way = { edits: [], cost: 0 };
const newAlternative = 1.5;

function sourceWays(policy: string, reading: RuleReading, caller: string): Way[] {
  const { from, rule } = reading;
  if (from.length === 0 || from.some(holdsOf)) return [nothingToDo];
  const isNamedThere = conditionsWillName(reading);
  if (rule.from.length === 0) return isNamedThere ? [nothingToDo] : []; // a source would shut out all others
  const byValue = from.flatMap(({ predicates }) => {
    const failed = failedByName(predicates, isNamedThere);
    if (failed.length === 0) return [nothingToDo];
    const isByName = failed.every(({ path }) => /\.(principals|notPrincipals)$/.test(path));
    return isByName ? valueWay(policy, failed) : []; // a namespace holds others, too
  });
  const value = { principals: [exactly(caller)] };
  const path = `spec.${rule.path}.from`;
  return [...byValue, { edits: [{ kind: 'add-source', policy, path, isNewList: false, value }], cost: newAlternative }];
}

/** A foreign caller is about to be named where a condition lists principals. */
function conditionsWillName({ when, rule }: RuleReading): boolean {
  return when.some(
    ({ predicates }, index) =>
      rule.when[index]?.key.of === 'source.principal' &&
      predicates.some(({ holds, wants }) => !holds && wants === 'one-of'),
  );
}

/** Its trust domain is named in full where its name is, in the list of principals if there is one. */
function failedByName(predicates: readonly Predicate[], isNamedThere: boolean): readonly Predicate[] {
  const failed = predicates.filter(({ holds }) => !holds);
  const domain = failed.find(({ isOfDomain }) => isOfDomain === true);
  if (domain === undefined) return failed;
  const others = failed.filter((each) => each !== domain);
  const principals = predicates.find(({ path }) => path.endsWith('.principals'));
  if (isNamedThere || (principals !== undefined && !principals.holds)) return others;
  return [principals ?? domain, ...others];
}

function operationWays(policy: string, { to, rule }: RuleReading, call: Call): Way[] {
  if (to.length === 0 || to.some(holdsOf)) return [nothingToDo];
  const byValue = to.flatMap(({ predicates }) =>
    valueWay(
      policy,
      predicates.filter(({ holds }) => !holds),
    ),
  );
  const value = exactOperation(call);
  const path = `spec.${rule.path}.to`;
  if (value === undefined) return byValue;
  return [
    ...byValue,
    { edits: [{ kind: 'add-operation', policy, path, isNewList: false, value }], cost: newAlternative },
  ];
}

/** Undefined where a condition cannot be met by one exact value. */
function conditionWay(policy: string, { when, rule }: RuleReading): Way | undefined {
  const failed = when.flatMap(({ predicates }) => predicates.filter(({ holds }) => !holds));
  const isOfNamespace = when.some((each, index) => !holdsOf(each) && rule.when[index]?.key.of === 'source.namespace');
  return isOfNamespace ? undefined : valueWay(policy, failed)[0];
}

/** One value for each predicate that failed; no way where one of them cannot be written exactly. */
function valueWay(policy: string, failed: readonly Predicate[]): Way[] {
  const edits = failed.map((predicate) => valueEdit(policy, predicate)).filter((edit) => edit !== undefined);
  return edits.length === failed.length ? [{ edits, cost: edits.length }] : [];
}

function valueEdit(policy: string, { path, wants, has, values, excludedBy }: Predicate): PolicyEdit | undefined {
  if (wants === 'one-of') {
    const value = has.length === 1 ? exactValue(path, has[0] ?? '') : undefined;
    return value === undefined ? undefined : { kind: 'add-value', policy, path, isNewList: false, value };
  }
  const [excluding, ...more] = excludedBy;
  if (excluding === undefined || more.length > 0 || values.length === 1) return undefined; // an empty list is none
  if (typeof excluding !== 'number' && excluding.kind !== 'exact') return undefined; // it keeps others out, too
  return { kind: 'remove-value', policy, path, value: typeof excluding === 'number' ? excluding : excluding.text };
}

/** A policy for exactly this caller, port, method and path. */
function added({ documents, workload, call }: Refusal, caller: string): Candidate[] {
  const operation = exactOperation(call);
  if (operation === undefined) return [];
  const { namespace } = workload;
  const name = freeName(documents, namespace, `${workload.name}-allow-${caller.slice(caller.lastIndexOf('/') + 1)}`);
  const rule: Rule = {
    path: 'rules[0]',
    isDryRun: false,
    from: [{ principals: [exactly(caller)] }],
    to: [operation],
    when: [],
  };
  const value: AuthorizationPolicy = {
    kind: 'AuthorizationPolicy',
    dialect: 'security.istio.io/v1',
    namespace,
    name,
    selector: selectorOf(workload),
    action: 'ALLOW',
    rules: [rule],
  };
  return [{ edits: [{ kind: 'add-policy', policy: `${namespace}/${name}`, value }], alsoFor: [], cost: 3 }];
}

/** In the letters that names of documents have. */
function freeName(documents: readonly PolicyDocument[], namespace: string, wanted: string): string {
  const letters = wanted
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
    .slice(0, 200);
  const name = letters.replaceAll(/^[.-]+|[.-]+$/g, '');
  const isTaken = (each: string): boolean => documents.some(isPolicyNamed(`${namespace}/${each}`));
  let free = name;
  for (let n = 2; isTaken(free); n++) free = `${name}-${n}`;
  return free;
}

/** The one label that names a workload, where it has one. */
function selectorOf({ labels }: WorkloadFacts): Readonly<Record<string, string>> {
  const key = ['app', 'app.kubernetes.io/name'].find((each) => labels[each] !== undefined);
  return key === undefined ? labels : { [key]: labels[key] ?? '' };
}

/** Undefined where the call's method or path would be read as a pattern. */
function exactOperation({ http, port }: Call): Operation | undefined {
  if (http === undefined) return { ports: [port] };
  const [method, path] = [exactValue('methods', http.method), exactValue('paths', http.path)];
  if (typeof method !== 'string' || typeof path !== 'string') return undefined;
  return { ports: [port], methods: [exactly(method)], paths: [exactly(path)] };
}
