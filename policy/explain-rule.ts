import { namespaceOf, principalOf, type Asked, type Doubt } from './asked.ts';
import { ruleTest } from './compiled-rule.ts';
import { exemptionsOf, isNamedIn, type Exemptions } from './foreign-caller.ts';
import type { CallToken, Condition, Pattern, Rule, Source } from './model.ts';
import { keyText, patternText } from './policy-yaml.ts';
import type { ResolvedOperation } from './scopes.ts';
import { isTokenKey, sourceTexts, tokenSourceFields, tokenTexts } from './token-fields.ts';

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
  /** No field: a caller is foreign, and nothing here names its trust domain in full. */
  readonly isOfDomain?: true;
  /** Another token would make it hold, whatever else the call is. */
  readonly isOfToken?: true;
}

/** One item of `from`, `to` or `when`: every predicate must hold. */
export interface Alternative {
  /** E.g. `spec.rules[0].from[1]`. */
  readonly path: string;
  readonly predicates: readonly Predicate[];
}

/**
 * A rule as it was asked of a call: one of `from`, one of `to` (none written: anything), all of `when`. Of a foreign caller
 * whom a rule without `from` does not admit, `from` says so.
 */
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
  /** Of the workload. */
  readonly trustDomain: string;
}

interface FieldQuestion extends Question {
  readonly exemptions: Exemptions;
}

/** Asks every field by itself, with the test that the engine makes of a rule which has that field alone. */
export function readRule(rule: Rule, operations: readonly ResolvedOperation[], question: Question): RuleReading {
  const at = `spec.${rule.path}`;
  const from = sourceReadings(rule, question);
  const isNamedOnly = from.some(({ exemptions, alternative }) => exemptions === 'named-only' && holdsOf(alternative));
  const ofConditions = { ...question, exemptions: isNamedOnly ? 'named-only' : 'as-written' } as const;
  return {
    rule,
    from: from
      .map(({ alternative }) => alternative)
      .filter(({ predicates }) => rule.from.length > 0 || predicates.length > 0),
    to: operations.map((operation, index) => {
      const path = `${at}.to[${index}]`;
      return { path, predicates: operationPredicates(operation, `${path}.operation`, question) };
    }),
    when: rule.when.map((condition, index) => {
      const path = `${at}.when[${index}]`;
      return { path, predicates: conditionPredicates(condition, path, ofConditions) };
    }),
  };
}

interface SourceReading {
  /** Undefined: it admits no foreign caller whom it does not name. */
  readonly exemptions: Exemptions | undefined;
  readonly alternative: Alternative;
}

/** One without predicates stands for a rule that is about anyone. */
function sourceReadings({ path, from, when }: Rule, question: Question): readonly SourceReading[] {
  const { asked, doubt } = question;
  const principal = principalOf(asked) ?? '';
  const sources = from.length === 0 ? [undefined] : from;
  return sources.map((source, index) => {
    const at = source === undefined ? `spec.${path}.from` : `spec.${path}.from[${index}]`;
    const field = source === undefined ? at : `${at}.source`;
    const exemptions = asked.isForeign ? exemptionsOf(isNamedIn(principal, source, when), doubt) : 'as-written';
    const predicates =
      source === undefined
        ? []
        : sourcePredicates(source, field, { ...question, exemptions: exemptions ?? 'as-written' });
    const unnamed = exemptions === undefined ? [domainPredicate(field, question)] : [];
    return { exemptions, alternative: { path: at, predicates: [...predicates, ...unnamed] } };
  });
}

/** What a source is missing that would admit the caller but for its trust domain. */
function domainPredicate(path: string, { asked, trustDomain }: Question): Predicate {
  return {
    path,
    about: 'the trust domain, which no principal there names in full',
    wants: 'one-of',
    values: [trustDomain],
    has: [principalOf(asked)?.split('/', 1)[0] ?? ''],
    holds: false,
    isTold: true,
    excludedBy: [],
    isOfDomain: true,
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
export function untoldIn({ from, to, when }: RuleReading): readonly Predicate[] {
  return [...from, ...to, ...when]
    .filter(holdsOf)
    .flatMap(({ predicates }) => predicates.filter(({ isTold }) => !isTold));
}

export function holdsOf({ predicates }: Alternative): boolean {
  return predicates.every(({ holds }) => holds);
}

function firstFailed({ predicates }: Alternative): Predicate[] {
  return predicates.filter(({ holds }) => !holds).slice(0, 1);
}

const sourceFields = ['principals', 'notPrincipals', 'namespaces', 'notNamespaces'] as const;

function sourcePredicates(source: Source, at: string, question: FieldQuestion): Predicate[] {
  const token = question.asked.call.http?.token;
  const ofToken = tokenSourceFields.flatMap((field) =>
    predicatesOf(source[field], {
      path: `${at}.${field}`,
      isTold: token !== undefined,
      isOfToken: true,
      has: token === undefined ? [] : sourceTexts(field, token),
      holds: (list) => isMatch({ from: [{ [field]: list }] }, question),
    }),
  );
  const ofCaller = sourceFields.flatMap((field) =>
    predicatesOf(source[field], {
      path: `${at}.${field}`,
      has: [field.endsWith('rincipals') ? principalOf(question.asked) : namespaceOf(question.asked)],
      holds: (list) => isMatch({ from: [{ [field]: list }] }, question),
    }),
  );
  return [...ofCaller, ...ofToken];
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
  const narrow = { ...question, doubt: 'narrow' } as const;
  const isMeant = isMatch({ to: [{ operation: {}, alternatives }] }, { ...question, doubt: 'wide' });
  const byScope = predicatesOf(scopes, {
    path: `${at}.scopes`,
    isTold: alternatives === undefined || isMatch({ to: [{ operation: {}, alternatives }] }, narrow) || !isMeant,
    ...(isMeant && { isOfToken: true as const }),
    has: [call.http && `${call.http.method} ${path}`, call.http && scopesText(call.http.token)],
    holds: () => isMatch({ to: [{ operation: {}, alternatives }] }, question),
  });
  return [...lists, ...byScope];
}

function scopesText(token: CallToken | undefined): string {
  if (token === undefined) return 'no token';
  return token.scopes.length === 0 ? 'a token without scopes' : `a token with ${token.scopes.join(' ')}`;
}

function conditionPredicates({ key, values, notValues }: Condition, at: string, question: FieldQuestion): Predicate[] {
  const has = textsOf(key, question.asked);
  const about = keyText(key);
  const { http } = question.asked.call;
  const isOfToken = isTokenKey(key);
  const isTold = isOfToken ? http?.token !== undefined : http !== undefined || key.of !== 'request.headers';
  const ofToken = isOfToken ? ({ isOfToken: true } as const) : {};
  return [
    ...predicatesOf(values, {
      path: `${at}.values`,
      ...{ about, isTold, has, ...ofToken },
      holds: (list) => isMatch({ when: [{ key, values: list }] }, question),
    }),
    ...predicatesOf(notValues, {
      path: `${at}.notValues`,
      ...{ about, isTold, has, ...ofToken },
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
    default:
      return asked.call.http?.token === undefined ? [] : tokenTexts(key, asked.call.http.token);
  }
}

interface Field<T> {
  readonly path: string;
  readonly about?: string;
  /** Undefined: yes. */
  readonly isTold?: boolean;
  readonly isOfToken?: true;
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
      ...(field.isOfToken && { isOfToken: true as const }),
      excludedBy: wants === 'one-of' || holds ? [] : list.filter((value) => !field.holds([value])),
    },
  ];
}

interface Parts {
  readonly from?: readonly Source[];
  readonly to?: readonly ResolvedOperation[];
  readonly when?: readonly Condition[];
}

function isMatch(
  { from = [], to = [], when = [] }: Parts,
  { asked, doubt, exemptions }: Question & Partial<FieldQuestion>,
): boolean {
  return ruleTest({ from, operations: to, when, doubt }, exemptions)(asked);
}
