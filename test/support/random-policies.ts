import fc from 'fast-check';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type {
  AuthorizationPolicy,
  Call,
  CallToken,
  Condition,
  MeshPolicy,
  Operation,
  Pattern,
  PolicyDocument,
  Rule,
  ScopeTemplates,
  Source,
  WorkloadFacts,
} from '#policy/model.ts';

/** Whom policies here are about. */
export const payments: WorkloadFacts = {
  trustDomain: 'a.test',
  namespace: 'shop',
  name: 'payments',
  labels: { app: 'payments', 'app.kubernetes.io/name': 'payments' },
  ports: undefined,
};

export const callers = [
  'a.test/ns/shop/sa/cart',
  'a.test/ns/shop/sa/web',
  'a.test/ns/db/sa/cart',
  'b.test/ns/shop/sa/cart',
  'b.test/ns/db/sa/web',
];
/** Nobody names them, but patterns, namespaces and rules for anyone cover some. */
export const strangers = ['a.test/ns/shop/sa/x', 'a.test/ns/out/sa/cart', 'z.test/ns/out/sa/x', 'z.test/unusual'];

const exact = (texts: readonly string[]) => fc.constantFrom(...texts).map((text): Pattern => ({ kind: 'exact', text }));
const affix = (kind: 'prefix' | 'suffix', texts: readonly string[]) =>
  fc.constantFrom(...texts).map((text): Pattern => ({ kind, text }));
const present = fc.constant<Pattern>({ kind: 'present' });
const lists = <T>(item: fc.Arbitrary<T>) =>
  fc.uniqueArray(item, { minLength: 1, maxLength: 3, selector: (each) => JSON.stringify(each) });

const principals = lists(
  fc.oneof(
    { arbitrary: exact(callers), weight: 6 },
    affix('prefix', ['a.test/', 'a.test/ns/shop/', 'b.test/', 'z.test/ns/']),
    affix('suffix', ['/sa/cart', '/x']),
    present,
  ),
);
const namespaces = lists(fc.oneof(exact(['shop', 'db', 'out']), affix('prefix', ['sh', 'd']), present));
const methods = lists(fc.oneof(exact(['GET', 'POST', 'DELETE']), affix('prefix', ['P']), present));
const hosts = lists(fc.oneof(exact(['payments', 'payments:8080', 'other']), affix('suffix', ['ments', '.svc'])));
const ports = lists(fc.constantFrom(80, 8080, 5432));
const literal = (text: string) => ({ kind: 'literal', text }) as const;
const paths = lists(
  fc.oneof(
    { arbitrary: exact(['/', '/a', '/a/b', '/prices/1']), weight: 4 },
    affix('prefix', ['/a', '/prices/']),
    affix('suffix', ['/1', '/b']),
    present,
    fc.constantFrom<Pattern>(
      { kind: 'template', segments: [literal('prices'), { kind: 'one' }] },
      { kind: 'template', segments: [{ kind: 'one' }, literal('b')] },
      { kind: 'template', segments: [literal('a'), { kind: 'any' }] },
    ),
  ),
);

const requestPrincipals = lists(
  fc.oneof(exact(['https://idp.test/ann', 'https://idp.test/bob']), affix('prefix', ['https://idp.test/']), present),
);
const roles = lists(fc.oneof(exact(['premium', 'admin']), affix('prefix', ['pre'])));

const some = { requiredKeys: [] };
const isNotEmpty = (fields: object): boolean => Object.keys(fields).length > 0;

const source: fc.Arbitrary<Source> = fc.oneof(
  { arbitrary: fc.record({ principals }), weight: 3 },
  fc.record({ principals, notPrincipals: principals, namespaces, notNamespaces: namespaces }, some).filter(isNotEmpty),
  fc
    .record({ principals, requestPrincipals, notRequestPrincipals: requestPrincipals, roles, notRoles: roles }, some)
    .filter(isNotEmpty),
);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { arbitrary: fc.record({ methods, paths }, some).filter(isNotEmpty), weight: 3 },
  { arbitrary: fc.record({ ports }), weight: 1 },
  { arbitrary: fc.record({ scopes: fc.constantFrom(['prices.read'], ['a.all', 'prices.read']) }), weight: 1 },
  fc
    .record(
      { hosts, notHosts: hosts, ports, notPorts: ports, methods, notMethods: methods, paths, notPaths: paths },
      some,
    )
    .filter(isNotEmpty),
);

const headerValues = lists(fc.oneof(exact(['test', 'prod']), affix('prefix', ['pr']), present));
const portTexts = lists(exact(['80', '8080', '5432']));

function conditionOn(key: Condition['key'], values: fc.Arbitrary<Pattern[]>): fc.Arbitrary<Condition> {
  const compared = fc.record({ values, notValues: values }, some).filter(isNotEmpty);
  return compared.map((each) => ({ key, ...each }));
}

const condition = fc.oneof(
  conditionOn({ of: 'source.principal' }, principals),
  conditionOn({ of: 'source.namespace' }, namespaces),
  conditionOn({ of: 'destination.port' }, portTexts),
  conditionOn({ of: 'request.auth.principal' }, requestPrincipals),
  conditionOn({ of: 'request.auth.presenter' }, lists(exact(['app-1', 'app-2']))),
  conditionOn({ of: 'request.auth.claims', path: ['scope'] }, lists(exact(['prices.read', 'a.all']))),
  conditionOn({ of: 'request.auth.claims', path: ['realm', 'groups'] }, lists(exact(['ops', 'dev']))),
  { arbitrary: conditionOn({ of: 'request.headers', name: 'x-env' }, headerValues), weight: 2 },
);

const few = <T>(item: fc.Arbitrary<T>, maxLength: number) => fc.array(item, { maxLength });

const ruleBody = fc.record({
  from: few(source, 2),
  to: few(operation, 2),
  when: fc.oneof({ arbitrary: fc.constant([]), weight: 3 }, few(condition, 2)),
  isDryRun: fc.oneof({ arbitrary: fc.constant(false), weight: 5 }, fc.constant(true)),
});

const policyBody = fc.record({
  namespace: fc.constantFrom('shop', 'shop', 'shop', 'istio-system', 'elsewhere'),
  selector: fc.constantFrom<Record<string, string>>({}, { app: 'payments' }, { app: 'payments' }, { app: 'orders' }),
  action: fc.constantFrom<AuthorizationPolicy['action']>('ALLOW', 'ALLOW', 'DENY', 'AUDIT'),
  rules: few(ruleBody, 3),
});

const meshPolicy = fc.constantFrom<MeshPolicy | undefined>(undefined, undefined, undefined, {
  kind: 'MeshPolicy',
  namespace: 'istio-system',
  name: 'mesh',
  defaultAction: 'allow',
  rootNamespace: 'istio-system',
});

const scopes: ScopeTemplates = {
  kind: 'ScopeTemplates',
  namespace: 'istio-system',
  name: 'scopes',
  scopes: [
    { scope: 'prices.read', method: 'GET', path: { kind: 'template', segments: [literal('prices'), { kind: 'one' }] } },
    { scope: 'a.all', method: 'GET', path: { kind: 'exact', text: '/a' } },
    { scope: 'a.all', method: 'POST', path: { kind: 'exact', text: '/a' } },
  ],
};

/** A handful of policies, some of which select `payments`. */
export const policyDocuments: fc.Arbitrary<readonly PolicyDocument[]> = fc
  .tuple(few(policyBody, 5), meshPolicy)
  .map(([bodies, mesh]) => [
    ...bodies.map(({ rules, ...body }, n): AuthorizationPolicy => ({
      kind: 'AuthorizationPolicy',
      dialect: rules.some(isOurs) ? 'eastwest.dev/v1' : 'security.istio.io/v1',
      name: `p${n}`,
      ...body,
      rules: rules.map((rule, i): Rule => ({
        ...rule,
        path: `rules[${i}]`,
        isDryRun: rule.isDryRun && body.action !== 'AUDIT', // a trial of what changes nothing is refused
      })),
    })),
    ...(mesh === undefined ? [] : [mesh]),
    scopes,
  ]);

function isOurs({ isDryRun, from, to }: Pick<Rule, 'isDryRun' | 'from' | 'to'>): boolean {
  const hasRoles = from.some((each) => each.roles !== undefined || each.notRoles !== undefined);
  return isDryRun || hasRoles || to.some((each) => each.scopes !== undefined);
}

const token = fc
  .record({
    subject: fc.constantFrom('ann', 'bob', 'eve'),
    authorizedParty: fc.constantFrom(undefined, 'app-1', 'app-2'),
    scopes: fc.constantFrom<readonly string[]>([], ['prices.read'], ['a.all'], ['prices.read', 'a.all']),
    roles: fc.constantFrom<readonly string[]>([], ['premium'], ['admin', 'premium'], ['other']),
    groups: fc.constantFrom<unknown>(undefined, 'ops', ['dev', 7], 7),
  })
  .map(({ groups, ...rest }): CallToken => ({
    ...{ issuer: 'https://idp.test', clientId: 'app-1', audience: 'payments', tokenId: 't', kid: 'k', actors: [] },
    ...rest,
    claims: new Map<string, unknown>([
      ['scope', rest.scopes.join(' ')],
      ['realm', new Map([['groups', groups]])],
    ]),
  }));

const http = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'DELETE', 'PATCH'),
    path: fc.constantFrom('/', '/a', '/a/b', '/a/c/d', '/prices/1', '/ab', '/x', '/a;v=1/b', '/x;y'),
    host: fc.constantFrom('payments', 'payments:8080', 'Payments', 'other.svc'),
    token: fc.option(token, { nil: undefined, freq: 2 }),
    env: fc.constantFrom([], ['test'], ['prod'], ['other'], ['test', 'prod']),
  })
  .map(({ env, ...rest }) => ({ ...rest, header: (name: string) => (name === 'x-env' ? env : []) }));

/** Of somebody whom the policies know, mostly, with HTTP, mostly. */
export const calls: fc.Arbitrary<Call> = fc.record({
  principal: fc.oneof(
    { arbitrary: fc.constantFrom(...callers, ...strangers).map(spiffeIdOf), weight: 9 },
    fc.constant(undefined),
  ),
  port: fc.constantFrom(80, 8080, 5432),
  http: fc.oneof({ arbitrary: http, weight: 6 }, fc.constant(undefined)),
});

export function spiffeIdOf(principal: string): SpiffeId {
  return `spiffe://${principal}` as SpiffeId;
}
