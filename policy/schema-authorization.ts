import { z } from 'zod';
import { ok, refuse, type Result } from '#runtime/result.ts';
import type { AuthorizationPolicy, Condition, ConditionKey, Dialect, Rule } from './model.ts';
import { pathReader } from './path-patterns.ts';
import {
  parseHost,
  parseMethod,
  parseNamespace,
  parsePattern,
  parsePort,
  parsePrincipal,
  type ReadPattern,
} from './patterns.ts';
import { isUnjudgedHeader, refusedConditionKey } from './refused-fields.ts';
import { emptyListHint, metadata, patternsRead, ports, selector, textRead } from './schema-fields.ts';

const maxRules = 10_000;

const sourceFields = {
  principals: patternsRead(parsePrincipal, 'prod.example/ns/shop/sa/cart'),
  notPrincipals: patternsRead(parsePrincipal, 'prod.example/ns/shop/sa/cart'),
  namespaces: patternsRead(parseNamespace, 'shop'),
  notNamespaces: patternsRead(parseNamespace, 'shop'),
  requestPrincipals: patternsRead(parsePattern, 'https://login.example/4711'),
  notRequestPrincipals: patternsRead(parsePattern, 'https://login.example/4711'),
};

const sourceHint = 'write source: { principals: […] } or { namespaces: […] }';
const emptySource = 'is empty: write principals or namespaces, or leave `from` out for anyone';
const istioSource = z.strictObject(sourceFields, sourceHint).check(isNotEmpty(emptySource));
const ownSource = z
  .strictObject(
    { ...sourceFields, roles: patternsRead(parsePattern, 'premium'), notRoles: patternsRead(parsePattern, 'premium') },
    sourceHint,
  )
  .check(isNotEmpty(emptySource));

function sources<T>(source: z.ZodType<T>) {
  const item = z.strictObject({ source }, 'write - source: …').transform((given) => (given as { source: T }).source);
  return z.array(item, 'write a list of sources').min(1, emptyListHint).default([]);
}

function operationFields(dialect: Dialect) {
  const readPath = pathReader(dialect);
  return {
    hosts: patternsRead(parseHost, 'prices.example'),
    notHosts: patternsRead(parseHost, 'prices.example'),
    ports,
    notPorts: ports,
    methods: patternsRead(parseMethod, 'GET'),
    notMethods: patternsRead(parseMethod, 'GET'),
    paths: patternsRead(readPath, '/prices/{*}'),
    notPaths: patternsRead(readPath, '/prices/{*}'),
  };
}

const operationHint = 'write operation: { methods: […], paths: […] }';
const emptyOperation = 'is empty: write methods, paths, hosts or ports, or leave `to` out for anything';

const istioOperation = z
  .strictObject(operationFields('security.istio.io/v1'), operationHint)
  .check(isNotEmpty(emptyOperation));

const scopeHint = 'write names of scopes, e.g. ["groups.documents.delete"]';
const ownOperation = z
  .strictObject(
    {
      ...operationFields('eastwest.dev/v1'),
      scopes: z
        .array(z.string(scopeHint).min(1, scopeHint), scopeHint)
        .min(1, emptyListHint)
        .readonly()
        .exactOptional(),
    },
    operationHint,
  )
  .check(isNotEmpty(emptyOperation));

function alternatives<T>(operation: z.ZodType<T>) {
  const item = z
    .strictObject({ operation }, 'write - operation: …')
    .transform((given) => (given as { operation: T }).operation);
  return z.array(item, 'write a list of operations').min(1, emptyListHint).default([]);
}

const valuesHint = 'write texts, e.g. ["a"]';
const values = z.array(z.string(valuesHint), valuesHint).min(1, emptyListHint).exactOptional();

const condition = z
  .strictObject({ key: textRead('write key: …', parseConditionKey), values, notValues: values }, 'write - key: …')
  .transform((given, context): Condition => {
    const read = conditionReader(given.key);
    const listed = (name: 'values' | 'notValues') =>
      given[name] && {
        [name]: given[name].flatMap((text, index) => {
          const pattern = read(text);
          if (pattern.ok) return [pattern.value];
          context.issues.push({ code: 'custom', input: text, path: [name, index], message: pattern.reason });
          return [];
        }),
      };
    if (given.values === undefined && given.notValues === undefined) {
      context.issues.push({
        code: 'custom',
        input: given,
        message: 'has nothing to compare with: write values or notValues',
      });
    }
    return { key: given.key, ...listed('values'), ...listed('notValues') };
  });

const when = z.array(condition, 'write a list of conditions').min(1, emptyListHint).default([]);

function parseConditionKey(text: string): Result<ConditionKey, string> {
  if (text === 'source.principal' || text === 'source.namespace' || text === 'destination.port') {
    return ok({ of: text });
  }
  if (text === 'request.auth.principal' || text === 'request.auth.audiences' || text === 'request.auth.presenter') {
    return ok({ of: text });
  }
  if (/^request\.auth\.claims(?:\[[^[\]]{1,256}\]){1,16}$/.test(text)) {
    return ok({ of: 'request.auth.claims', path: [...text.matchAll(/\[([^[\]]+)\]/g)].map(([, claim = '']) => claim) });
  }
  const name = /^request\.headers\[([!#$%&'*+.^_`|~0-9A-Za-z-]+)\]$/.exec(text)?.[1];
  const lower = name?.toLowerCase();
  return lower === undefined || lower === 'host' || isUnjudgedHeader(lower)
    ? refuse(refusedConditionKey(text))
    : ok({ of: 'request.headers', name: lower });
}

function conditionReader(key: ConditionKey): ReadPattern {
  switch (key.of) {
    case 'source.principal':
      return parsePrincipal;
    case 'source.namespace':
      return parseNamespace;
    case 'destination.port':
      return parsePort;
    default:
      return parsePattern;
  }
}

const ruleHint = 'write a rule: { from: […], to: […], when: […] }';
const istioRule = z.strictObject({ from: sources(istioSource), to: alternatives(istioOperation), when }, ruleHint);
const ownRule = z.strictObject(
  {
    from: sources(ownSource),
    to: alternatives(ownOperation),
    when,
    dryRun: z.boolean('write true or false').default(false),
  },
  ruleHint,
);

const action = z
  .enum(['ALLOW', 'DENY', 'AUDIT'], {
    error: ({ input }) =>
      input === 'CUSTOM'
        ? 'CUSTOM is not supported, decisions depend on policies alone: write ALLOW, DENY or AUDIT'
        : 'write ALLOW, DENY or AUDIT',
  })
  .default('ALLOW');

function rulesOf<T extends z.ZodType>(rule: T) {
  return z
    .array(rule, 'write a list of rules')
    .max(maxRules, `are more than ${maxRules}: write several policies`)
    .exactOptional();
}

const specHint = 'write spec: { rules: […] }; an ALLOW policy without rules admits nobody';

export const istioAuthorization = z
  .strictObject({
    apiVersion: z.string(),
    kind: z.literal('AuthorizationPolicy'),
    metadata,
    spec: z.strictObject({ selector, action, rules: rulesOf(istioRule) }, specHint),
  })
  .transform(({ kind, metadata: { namespace, name }, spec }): AuthorizationPolicy => {
    const rules = (spec.rules ?? []).map((rule, index) => ({ path: `rules[${index}]`, isDryRun: false, ...rule }));
    return {
      kind,
      dialect: 'security.istio.io/v1',
      namespace,
      name,
      selector: spec.selector,
      action: spec.action,
      rules,
    };
  });

const everything: Rule = { path: 'allow', isDryRun: false, from: [], to: [], when: [] };

const ownSpec = z
  .strictObject(
    { selector, action, rules: rulesOf(ownRule), allow: z.literal('all', 'write allow: all').exactOptional() },
    specHint,
  )
  .transform((spec, context) => {
    const say = (path: readonly (string | number)[], message: string): void =>
      void context.issues.push({ code: 'custom', input: spec, path: [...path], message });
    if (spec.allow !== undefined && spec.rules !== undefined)
      say(['allow'], 'makes rules meaningless: write one of them');
    if (spec.allow !== undefined && spec.action !== 'ALLOW')
      say(['allow'], `contradicts action ${spec.action}: leave one out`);
    for (const [index, rule] of (spec.rules ?? []).entries()) {
      if (rule.dryRun && spec.action === 'AUDIT')
        say(['rules', index, 'dryRun'], 'changes nothing for AUDIT: leave it out');
      if (rule.from.length + rule.to.length + rule.when.length > 0) continue;
      say(['rules', index], emptyRule(spec.action));
    }
    const rules: Rule[] = (spec.rules ?? []).map(({ dryRun, ...rule }, index) => ({
      path: `rules[${index}]`,
      isDryRun: dryRun,
      ...rule,
    }));
    return { selector: spec.selector, action: spec.action, rules: spec.allow === undefined ? rules : [everything] };
  });

function emptyRule(of: AuthorizationPolicy['action']): string {
  if (of === 'ALLOW') return 'is empty and would admit everyone: write spec: { allow: all } if that is meant';
  return 'is empty and would match every call: name what it is about, e.g. to: [{ operation: { ports: [8080] } }]';
}

export const ownAuthorization = z
  .strictObject({ apiVersion: z.string(), kind: z.literal('AuthorizationPolicy'), metadata, spec: ownSpec })
  .transform(({ kind, metadata: { namespace, name }, spec }): AuthorizationPolicy => {
    return { kind, dialect: 'eastwest.dev/v1', namespace, name, ...spec };
  });

/** Says nothing of what is empty only because none of its fields exists. */
function isNotEmpty(message: string) {
  return ({ value, issues }: z.core.ParsePayload<object>): void => {
    if (issues.length === 0 && Object.keys(value).length === 0) issues.push({ code: 'custom', input: value, message });
  };
}
