import type {
  AuthorizationPolicy,
  Call,
  CallToken,
  Condition,
  Decision,
  HttpCall,
  Operation,
  Pattern,
  PolicyDocument,
  Rule,
  Source,
  WorkloadFacts,
} from '#policy/model.ts';

/** Whether something matches; undefined: it cannot be told (HTTP of an opaque call, a header that says two things). */
export type Told = boolean | undefined;

/** Decides by reading every rule of every document, in the plainest way: what the indexed `decide` is compared with. */
export function naiveDecide(documents: readonly PolicyDocument[], workload: WorkloadFacts, call: Call): Decision {
  const whole = judge(documents, workload, call);
  if (call.http === undefined || !call.http.path.includes(';')) return whole;
  const path = call.http.path
    .split('/')
    .map((segment) => segment.split(';')[0])
    .join('/');
  const bare = judge(documents, workload, { ...call, http: { ...call.http, path: path.replaceAll(/\/+/g, '/') } });
  const named = new Set(whole.dryRun.map(({ rule }) => rule));
  return {
    ...(whole.allow ? (bare.allow ? whole : bare) : whole),
    audited: [...new Set([...whole.audited, ...bare.audited])],
    dryRun: [...whole.dryRun, ...bare.dryRun.filter(({ rule }) => !named.has(rule))],
  };
}

function judge(documents: readonly PolicyDocument[], workload: WorkloadFacts, call: Call): Decision {
  const mesh = documents.find((document) => document.kind === 'MeshPolicy');
  const near = documents.filter(({ namespace }) =>
    [workload.namespace, mesh?.rootNamespace ?? 'istio-system'].includes(namespace),
  );
  const policies = near
    .filter((document) => document.kind === 'AuthorizationPolicy')
    .filter(({ selector }) => Object.entries(selector).every(([name, value]) => workload.labels[name] === value));
  const templates = near.filter((document) => document.kind === 'ScopeTemplates').flatMap(({ scopes }) => scopes);
  const matching = (action: AuthorizationPolicy['action'], of: 'in-force' | 'on-trial'): readonly string[] =>
    policies
      .filter((policy) => policy.action === action)
      .flatMap((policy) =>
        policy.rules
          .filter((rule) => rule.isDryRun === (of === 'on-trial'))
          .filter((rule) => {
            const asked = { call, own: workload.trustDomain, effect: effectOf(action) };
            const told = tellRule(rule, asked, (operation) => expand(operation, templates));
            return action === 'ALLOW' ? told === true : told !== false;
          })
          .map((rule) => `${policy.namespace}/${policy.name} ${rule.path}`),
      );
  const [denying] = matching('DENY', 'in-force');
  const [allowing] = matching('ALLOW', 'in-force');
  const audited = matching('AUDIT', 'in-force');
  const hasAllow = policies.some(
    ({ action, rules }) => action === 'ALLOW' && (rules.length === 0 || !rules.every((rule) => rule.isDryRun)),
  );
  if (denying !== undefined) return { allow: false, reason: 'denied-by-rule', rule: denying, audited, dryRun: [] };
  const rule =
    allowing ??
    (!hasAllow && !isForeign(call, workload.trustDomain) && mesh?.defaultAction === 'allow'
      ? `${mesh.namespace}/${mesh.name} defaultAction`
      : undefined);
  if (rule === undefined) {
    const dryRun = matching('ALLOW', 'on-trial').map((name) => ({ verdict: 'would-allow', rule: name }) as const);
    return { allow: false, reason: 'no-rule-matches', audited, dryRun };
  }
  const wouldDeny = [
    ...matching('DENY', 'on-trial'),
    ...(hasAllow || matching('ALLOW', 'on-trial').length > 0
      ? []
      : policies.filter(({ action }) => action === 'ALLOW').map(({ namespace, name }) => `${namespace}/${name}`)),
  ];
  return { allow: true, rule, audited, dryRun: wouldDeny.map((name) => ({ verdict: 'would-deny', rule: name })) };
}

interface Expanded extends Operation {
  readonly alternatives?: readonly { readonly scope: string; readonly method: string; readonly path: Pattern }[];
}

export function expand(
  operation: Operation,
  templates: readonly { readonly scope: string; readonly method: string; readonly path: Pattern }[],
): Expanded {
  if (operation.scopes === undefined) return operation;
  return { ...operation, alternatives: templates.filter(({ scope }) => operation.scopes?.includes(scope)) };
}

export type Effect = 'admits' | 'refuses or notes';

export function effectOf(action: AuthorizationPolicy['action']): Effect {
  return action === 'ALLOW' ? 'admits' : 'refuses or notes';
}

function isForeign({ principal }: Call, own: string): boolean {
  return principal !== undefined && principal.split('/')[2] !== own;
}

interface AskedOfRule {
  readonly call: Call;
  /** The workload's trust domain. */
  readonly own: string;
  readonly effect: Effect;
}

function tellRule(rule: Rule, asked: AskedOfRule, expanded: (operation: Operation) => Expanded): Told {
  const { call } = asked;
  const sources = rule.from.length === 0 ? [undefined] : rule.from;
  return every([
    rule.to.length === 0 ? true : some(rule.to.map((operation) => tellOperation(expanded(operation), call))),
    some(
      sources.map((source) => {
        const read = readingFor(source, rule.when, asked);
        if (read === 'about nobody foreign') return false;
        return every([
          read.source === undefined ? true : tellSource(read.source, call),
          ...read.when.map((condition) => tellCondition(condition, call)),
        ]);
      }),
    ),
  ]);
}

type Reading = 'about nobody foreign' | { readonly source: Source | undefined; readonly when: readonly Condition[] };

/** What one source and the conditions say to this caller: as written, unless it is foreign and not named in full. */
export function readingFor(
  source: Source | undefined,
  when: readonly Condition[],
  { call, own, effect }: AskedOfRule,
): Reading {
  const name = call.principal?.replace('spiffe://', '');
  const names = (list: readonly Pattern[] = []): boolean => inList(list.filter(isFull), name);
  const isNamed =
    names(source?.principals) || when.some(({ key, values }) => key.of === 'source.principal' && names(values));
  if (!isForeign(call, own) || isNamed) return { source, when };
  if (effect === 'admits') return 'about nobody foreign';
  const { notNamespaces: _, ...named } = source ?? {};
  return {
    source: source && { ...named, ...(source.notPrincipals && { notPrincipals: source.notPrincipals.filter(isFull) }) },
    when: when.map((condition) => {
      if (condition.key.of === 'source.namespace') return { ...condition, notValues: [] };
      if (condition.key.of !== 'source.principal') return condition;
      return { ...condition, notValues: (condition.notValues ?? []).filter(isFull) };
    }),
  };
}

function isFull({ kind }: Pattern): boolean {
  return kind === 'exact' || kind === 'prefix';
}

export function tellSource(source: Source, { principal, http }: Call): Told {
  const token = http?.token;
  const sub = token && [`${token.issuer}/${token.subject}`];
  const name = principal?.replace('spiffe://', '');
  const namespace = namespaceOf(name);
  return every([
    inList(source.principals, name),
    not(source.notPrincipals && inList(source.notPrincipals, name)),
    inList(source.namespaces, namespace),
    not(source.notNamespaces && inList(source.notNamespaces, namespace)),
    tellTexts(source.requestPrincipals, source.notRequestPrincipals, sub),
    tellTexts(source.roles, source.notRoles, token?.roles),
  ]);
}

/** Undefined texts: there is no token. */
function tellTexts(
  wanted: readonly Pattern[] | undefined,
  excluded: readonly Pattern[] | undefined,
  texts: readonly string[] | undefined,
): Told {
  if (wanted === undefined && excluded === undefined) return true;
  if (texts === undefined) return undefined;
  const has = (list: readonly Pattern[]): boolean => texts.some((text) => inList(list, text));
  return (wanted === undefined || has(wanted)) && (excluded === undefined || !has(excluded));
}

/** What a token says under a key, found the plainest way. */
function tokenTextsOf(key: Condition['key'], token: CallToken): readonly string[] {
  if (key.of === 'request.auth.principal') return [`${token.issuer}/${token.subject}`];
  if (key.of === 'request.auth.audiences') return [token.audience];
  if (key.of === 'request.auth.presenter') return token.authorizedParty === undefined ? [] : [token.authorizedParty];
  if (key.of !== 'request.auth.claims') throw new Error(key.of);
  const value = key.path.reduce<unknown>((at, name) => (at instanceof Map ? at.get(name) : undefined), token.claims);
  const texts = key.path.join() === 'scope' && typeof value === 'string' ? value.split(' ') : [value].flat();
  return texts.filter((each) => typeof each === 'string');
}

function namespaceOf(name: string | undefined): string | undefined {
  const [, ns, namespace, sa, account, ...more] = name?.split('/') ?? [];
  return ns === 'ns' && sa === 'sa' && account !== undefined && more.length === 0 ? namespace : undefined;
}

/** Who refuses takes a token that lacks the scope for one that cannot be told. */
function tellScopes(list: NonNullable<Expanded['alternatives']>, { method, path, token }: HttpCall): Told {
  const meant = list.filter((each) => each.method === method && matches(each.path, path));
  return meant.length > 0 && (meant.some(({ scope }) => token?.scopes.includes(scope)) || undefined);
}

export function tellOperation(operation: Expanded, { port, http }: Call): Told {
  const { ports, notPorts, hosts, notHosts, methods, notMethods, paths, notPaths, alternatives } = operation;
  const ask = <T>(given: T | undefined, told: (given: T, http: HttpCall) => Told): Told =>
    given === undefined ? true : http && told(given, http);
  return every([
    ports === undefined || ports.includes(port),
    notPorts === undefined || !notPorts.includes(port),
    ask(hosts, (list, { host }) => list.some((pattern) => matchesHost(pattern, host))),
    ask(notHosts, (list, { host }) => !list.some((pattern) => matchesHost(pattern, host))),
    ask(methods, (list, { method }) => inList(list, method)),
    ask(notMethods, (list, { method }) => !inList(list, method)),
    ask(paths, (list, { path }) => inList(list, path)),
    ask(notPaths, (list, { path }) => !inList(list, path)),
    ask(alternatives, tellScopes),
  ]);
}

export function tellCondition({ key, values, notValues }: Condition, { principal, port, http }: Call): Told {
  if (key.of === 'request.headers') {
    if (http === undefined) return undefined;
    const found = http.header(key.name);
    const agree = (told: readonly boolean[]): Told =>
      told.every(Boolean) ? true : told.some(Boolean) ? undefined : false;
    return every([
      values === undefined || (found.length > 0 && agree(found.map((value) => inList(values, value)))),
      notValues === undefined || found.length === 0 || agree(found.map((value) => !inList(notValues, value))),
    ]);
  }
  if (key.of.startsWith('request.auth.'))
    return tellTexts(values, notValues, http?.token && tokenTextsOf(key, http.token));
  const name = principal?.replace('spiffe://', '');
  const texts: Partial<Record<Condition['key']['of'], string | undefined>> = {
    'source.principal': name,
    'source.namespace': namespaceOf(name),
    'destination.port': String(port),
  };
  return every([inList(values, texts[key.of]), not(notValues && inList(notValues, texts[key.of]))]);
}

function inList(list: readonly Pattern[] | undefined, text: string | undefined): boolean {
  return list === undefined || (text !== undefined && list.some((pattern) => matches(pattern, text)));
}

function not(told: boolean | undefined): boolean {
  return told === undefined || !told;
}

function every(told: readonly Told[]): Told {
  if (told.includes(false)) return false;
  return told.includes(undefined) ? undefined : true;
}

function some(told: readonly Told[]): Told {
  if (told.includes(true)) return true;
  return told.includes(undefined) ? undefined : false;
}

function matchesHost(pattern: Pattern, host: string): boolean {
  if (!('text' in pattern)) return host !== '';
  const namesPort = pattern.kind === 'prefix' ? /:\d*$/.test(pattern.text) : /:\d+$/.test(pattern.text);
  return matches(pattern, (namesPort ? host : host.replace(/:\d*$/, '')).toLowerCase());
}

function matches(pattern: Pattern, text: string): boolean {
  return expressionOf(pattern).test(text);
}

function expressionOf(pattern: Pattern): RegExp {
  switch (pattern.kind) {
    case 'exact':
      return new RegExp(`^${escaped(pattern.text)}$`);
    case 'prefix':
      return new RegExp(`^${escaped(pattern.text)}`);
    case 'suffix':
      return new RegExp(`${escaped(pattern.text)}$`);
    case 'present':
      return /./;
    case 'below':
      return new RegExp(`^${pattern.segments.map((segment) => `/${escaped(segment)}`).join('')}/`);
    case 'template': {
      const parts = pattern.segments.map((segment) => {
        if (segment.kind === 'literal') return `/${escaped(segment.text)}`;
        return segment.kind === 'one' ? '/[^/]+' : '/.*';
      });
      return new RegExp(`^${parts.join('')}$`);
    }
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
