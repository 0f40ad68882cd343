import { namespaceOf, principalOf, ruleTest, type Asked, type Doubt } from './compiled-rule.ts';
import type { Condition, Pattern, Rule, Source } from './model.ts';
import { keyText, patternText } from './policy-yaml.ts';
import type { ResolvedOperation } from './scopes.ts';

/** One field of a rule, asked of a call. */
export interface Predicate {
  /** In the document, e.g. `spec.rules[0].to[0].operation.paths`. */
  readonly path: string;
  /** What a condition is about, e.g. `request.headers[x-env]`; of other fields their name tells. */
  readonly about: string | undefined;
  readonly wants: 'one-of' | 'none-of';
  /** As they are written. */
  readonly values: readonly string[];
  /** What the call has of that kind: nothing, or several headers of one name. */
  readonly has: readonly string[];
  readonly holds: boolean;
  /** False: it is about HTTP and the call is opaque, so that doubt decided. */
  readonly isTold: boolean;
  /** Those of the values by which a `none-of` fails. */
  readonly excludedBy: readonly (Pattern | number)[];
}

/** One item of `from`, `to` or `when`: every predicate must hold. */
export interface Alternative {
  /** E.g. `spec.rules[0].from[1]`. */
  readonly path: string;
  readonly predicates: readonly Predicate[];
}

/** A rule as it was asked of a call: one of `from`, one of `to` (none written: anything), all of `when`. */
export interface RuleReading {
  readonly rule: Rule;
  readonly from: readonly Alternative[];
  readonly to: readonly Alternative[];
  readonly when: readonly Alternative[];
}

/** What a rule is asked, and how it is read. */
export interface Question {
  readonly asked: Asked;
  readonly doubt: Doubt;
}

/** Asks every field by itself, with the test that the engine makes of a rule which has that field alone. */
export function readRule(rule: Rule, operations: readonly ResolvedOperation[], question: Question): RuleReading {
  const at = `spec.${rule.path}`;
  return {
    rule,
    from: rule.from.map((source, index) => {
      const path = `${at}.from[${index}]`;
      return { path, predicates: sourcePredicates(source, `${path}.source`, question) };
    }),
    to: operations.map((operation, index) => {
      const path = `${at}.to[${index}]`;
      return { path, predicates: operationPredicates(operation, `${path}.operation`, question) };
    }),
    when: rule.when.map((condition, index) => {
      const path = `${at}.when[${index}]`;
      return { path, predicates: conditionPredicates(condition, path, question) };
    }),
  };
}

/** The first predicate that failed, of each alternative of the first part that has none left; none: the rule matches. */
export function failedIn({ from, to, when }: RuleReading): readonly Predicate[] {
  for (const part of [from, to]) {
    if (part.length > 0 && !part.some(holdsOf)) return part.flatMap(firstFailed);
  }
  return when.flatMap(firstFailed).slice(0, 1);
}

/** The predicates of a rule that matches by which it would not have to: nobody can tell. */
export function untoldIn({ to, when }: RuleReading): readonly Predicate[] {
  return [...to, ...when].filter(holdsOf).flatMap(({ predicates }) => predicates.filter(({ isTold }) => !isTold));
}

export function holdsOf({ predicates }: Alternative): boolean {
  return predicates.every(({ holds }) => holds);
}

function firstFailed({ predicates }: Alternative): Predicate[] {
  return predicates.filter(({ holds }) => !holds).slice(0, 1);
}

const sourceFields = ['principals', 'notPrincipals', 'namespaces', 'notNamespaces'] as const;

function sourcePredicates(source: Source, at: string, question: Question): Predicate[] {
  return sourceFields.flatMap((field) =>
    predicatesOf(source[field], {
      path: `${at}.${field}`,
      has: [field.endsWith('rincipals') ? principalOf(question.asked) : namespaceOf(question.asked)],
      holds: (list) => isMatch({ from: [{ [field]: list }] }, question),
    }),
  );
}

const operationFields = [
  'ports',
  'notPorts',
  'hosts',
  'notHosts',
  'methods',
  'notMethods',
  'paths',
  'notPaths',
] as const;

function operationPredicates(resolved: ResolvedOperation, at: string, question: Question): Predicate[] {
  const { call, path } = question.asked;
  const { operation, alternatives } = resolved;
  const has = { orts: String(call.port), osts: call.http?.host, ethods: call.http?.method, aths: path };
  const lists = operationFields.flatMap((field) =>
    predicatesOf<Pattern | number>(operation[field], {
      path: `${at}.${field}`,
      isTold: call.http !== undefined || field.endsWith('orts'),
      has: [has[field.replace(/^not.|^./, '') as keyof typeof has]],
      holds: (list) => isMatch({ to: [{ operation: { [field]: list }, alternatives: undefined }] }, question),
    }),
  );
  const scopes = operation.scopes?.map((text): Pattern => ({ kind: 'exact', text }));
  const byScope = predicatesOf(scopes, {
    path: `${at}.scopes`,
    isTold: call.http !== undefined,
    has: [call.http && `${call.http.method} ${path}`],
    holds: () => isMatch({ to: [{ operation: {}, alternatives }] }, question),
  });
  return [...lists, ...byScope];
}

function conditionPredicates({ key, values, notValues }: Condition, at: string, question: Question): Predicate[] {
  const has = textsOf(key, question.asked);
  const about = keyText(key);
  const isTold = question.asked.call.http !== undefined || key.of !== 'request.headers';
  return [
    ...predicatesOf(values, {
      path: `${at}.values`,
      about,
      isTold,
      has,
      holds: (list) => isMatch({ when: [{ key, values: list }] }, question),
    }),
    ...predicatesOf(notValues, {
      path: `${at}.notValues`,
      about,
      isTold,
      has,
      holds: (list) => isMatch({ when: [{ key, notValues: list }] }, question),
    }),
  ];
}

function textsOf(key: Condition['key'], asked: Asked): readonly (string | undefined)[] {
  switch (key.of) {
    case 'source.principal':
      return [principalOf(asked)];
    case 'source.namespace':
      return [namespaceOf(asked)];
    case 'destination.port':
      return [String(asked.call.port)];
    case 'request.headers':
      return asked.call.http?.header(key.name) ?? [];
  }
}

interface Field<T> {
  readonly path: string;
  readonly about?: string;
  /** Undefined: yes. */
  readonly isTold?: boolean;
  readonly has: readonly (string | undefined)[];
  /** Whether the predicate would hold with this list. */
  readonly holds: (list: readonly T[]) => boolean;
}

/** None where the field is left out. */
function predicatesOf<T extends Pattern | number>(list: readonly T[] | undefined, field: Field<T>): Predicate[] {
  if (list === undefined) return [];
  const { path, has } = field;
  const wants = /\.not[A-Z]\w+$/.test(path) ? 'none-of' : 'one-of';
  const holds = field.holds(list);
  return [
    {
      path,
      about: field.about,
      wants,
      values: list.map((value) => (typeof value === 'number' ? String(value) : patternText(value))),
      has: has.filter((text) => text !== undefined),
      holds,
      isTold: field.isTold ?? true,
      excludedBy: wants === 'one-of' || holds ? [] : list.filter((value) => !field.holds([value])),
    },
  ];
}

interface Parts {
  readonly from?: readonly Source[];
  readonly to?: readonly ResolvedOperation[];
  readonly when?: readonly Condition[];
}

function isMatch({ from = [], to = [], when = [] }: Parts, { asked, doubt }: Question): boolean {
  return ruleTest({ from, operations: to, when, doubt })(asked);
}
