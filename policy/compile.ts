import { ok, refuse, type Result } from '#runtime/result.ts';
import { ownIdsOf } from './asked.ts';
import { foreignRuleTest, RuleTests, type CompiledRule, type Effect } from './compiled-rule.ts';
import { indexDenials, type DenialIndex } from './denials.ts';
import { unjudgedOn } from './judgeable.ts';
import type {
  AuthorizationPolicy,
  MeshPolicy,
  PolicyDocument,
  PolicyName,
  Rule,
  Selector,
  WorkloadFacts,
} from './model.ts';
import { mtlsOf, type MtlsModes } from './peer-authentication.ts';
import { isProvedByIndex, RuleIndex } from './rule-index.ts';
import { indexScopes, resolveScopes, type ResolvedOperation, type ScopeIndex } from './scopes.ts';

/** What the documents mean for one workload. */
export interface CompiledPolicy {
  /** What the SPIFFE IDs of the workload's trust domain begin with, `spiffe://prod.example/`. */
  readonly ownIds: string;
  readonly rules: RuleIndex;
  /** Of a call that no rule is about, from a caller who is not foreign: the name of what admits it; undefined: nothing does. */
  readonly otherwise: string | undefined;
  /** ALLOW policies that would take the place of `otherwise` if their rules were not all on trial: `namespace/name`. */
  readonly onTrial: readonly string[];
  readonly denials: DenialIndex;
  readonly tokenDenials: DenialIndex;
  /** All that ScopeTemplates name. */
  readonly scopes: readonly string[];
  readonly mtls: MtlsModes;
}

/** What cannot be judged, or contradicts another document. */
export interface CompileProblem {
  readonly kind: PolicyDocument['kind'];
  /** `namespace/name` of a document. */
  readonly policy: string;
  /** In it, e.g. `spec.rules[0].to[0].operation.paths`. */
  readonly path: string;
  readonly problem: string;
}

const defaultRootNamespace = 'istio-system';

/** Whose documents hold for every namespace. */
export function rootNamespaceOf(documents: readonly PolicyDocument[]): string {
  const mesh = documents.find((document) => document.kind === 'MeshPolicy');
  return mesh?.rootNamespace ?? defaultRootNamespace;
}

/**
 * Takes what applies to a workload and makes it fast to decide by. Documents of its namespace apply, and those of the root
 * namespace; their order is that in which rules are named. Refuses with every problem.
 */
export function compilePolicies(
  documents: readonly PolicyDocument[],
  workload: WorkloadFacts,
): Result<CompiledPolicy, readonly CompileProblem[]> {
  const meshPolicies = documents.filter((document) => document.kind === 'MeshPolicy');
  const [mesh] = meshPolicies;
  const rootNamespace = rootNamespaceOf(documents);
  const near = documents.filter(({ namespace }) => isNear(namespace, workload, rootNamespace));
  const policies = near
    .filter((document) => document.kind === 'AuthorizationPolicy')
    .filter(({ selector }) => selects(selector, workload));
  const scopes = indexScopes(near.filter((document) => document.kind === 'ScopeTemplates'));
  const mtls = mtlsOf(
    near
      .filter((document) => document.kind === 'PeerAuthentication')
      .filter(({ selector }) => selects(selector, workload)),
    { namespace: workload.namespace, rootNamespace },
  );
  const rules = compileRules(policies, scopes, workload);
  const problems: readonly CompileProblem[] = [
    ...meshPolicies.slice(1).map((extra) => ({
      kind: extra.kind,
      policy: documentName(extra),
      path: 'kind',
      problem: `there is another MeshPolicy, ${mesh && documentName(mesh)}: one holds for the mesh, delete one`,
    })),
    ...(mtls.ok ? [] : mtls.reason),
    ...(rules.ok ? [] : rules.reason),
  ];
  if (problems.length > 0 || !mtls.ok || !rules.ok) return refuse(problems);
  const admitsRest = otherwise(policies, mesh);
  return ok({
    ownIds: ownIdsOf(workload),
    rules: rules.value,
    otherwise: admitsRest,
    onTrial: admitsRest === undefined ? [] : policies.filter(({ action }) => action === 'ALLOW').map(documentName),
    ...indexDenials(near.filter((document) => document.kind === 'DenyList')),
    mtls: mtls.value,
    scopes: [...scopes.keys()],
  });
}

/** A document without a namespace is the workload's own file. */
export function isNear(namespace: string, workload: Pick<WorkloadFacts, 'namespace'>, rootNamespace: string): boolean {
  return namespace === workload.namespace || namespace === rootNamespace || namespace === '';
}

export function selects(selector: Selector, { labels }: WorkloadFacts): boolean {
  return Object.entries(selector).every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value);
}

/** An ALLOW policy admits what it names and nothing else; rules on trial make none. */
function otherwise(policies: readonly AuthorizationPolicy[], mesh: MeshPolicy | undefined): string | undefined {
  if (mesh?.defaultAction !== 'allow' || policies.some(isAllowInForce)) return undefined;
  return `${documentName(mesh)} defaultAction`;
}

function isAllowInForce({ action, rules }: AuthorizationPolicy): boolean {
  return action === 'ALLOW' && (rules.length === 0 || rules.some(({ isDryRun }) => !isDryRun));
}

function compileRules(
  policies: readonly AuthorizationPolicy[],
  scopes: ScopeIndex,
  workload: WorkloadFacts,
): Result<RuleIndex, readonly CompileProblem[]> {
  const index = new RuleIndex();
  const tests = new RuleTests();
  const problems: CompileProblem[] = [];
  let order = 0;
  for (const policy of policies) {
    for (const rule of policy.rules) {
      const found = [...scopeProblems(rule, scopes), ...unjudgedOn(rule, workload.ports)];
      problems.push(...found.map((problem) => ({ kind: policy.kind, policy: documentName(policy), ...problem })));
      if (found.length > 0) continue;
      const operations = rule.to.flatMap((operation): readonly ResolvedOperation[] => {
        const resolved = resolveScopes(operation, scopes);
        return resolved.ok ? [resolved.value] : [];
      });
      index.add(compileRule(policy, { rule, operations, order, tests }), rule, operations);
      order += 1;
    }
  }
  return problems.length === 0 ? ok(index) : refuse(problems);
}

function scopeProblems(rule: Rule, scopes: ScopeIndex): readonly Omit<CompileProblem, 'kind' | 'policy'>[] {
  return rule.to.flatMap((operation, index) => {
    const resolved = resolveScopes(operation, scopes);
    if (resolved.ok) return [];
    return resolved.reason.map((position) => ({
      path: `spec.${rule.path}.to[${index}].operation.scopes[${position}]`,
      problem: `no ScopeTemplates of this or the root namespace has ${operation.scopes?.[position]}: add it there`,
    }));
  });
}

interface RuleParts {
  readonly tests: RuleTests;
  readonly rule: Rule;
  readonly operations: readonly ResolvedOperation[];
  readonly order: number;
}

function compileRule(policy: AuthorizationPolicy, { rule, operations, order, tests }: RuleParts): CompiledRule {
  const doubt = policy.action === 'ALLOW' ? 'narrow' : 'wide';
  const name = ruleName(policy, rule);
  const demands = { from: rule.from, when: rule.when, operations, doubt } as const;
  const matchesOwn = tests.of(isProvedByIndex(rule) ? { ...demands, from: [] } : demands);
  return { name, order, effect: effectOf(policy, rule), matchesOwn, matchesForeign: foreignRuleTest(demands) };
}

function effectOf({ action }: AuthorizationPolicy, { isDryRun }: Rule): Effect {
  switch (action) {
    case 'ALLOW':
      return isDryRun ? 'would-allow' : 'allow';
    case 'DENY':
      return isDryRun ? 'would-deny' : 'deny';
    default:
      return 'audit';
  }
}

/** `shop/cart-may-read rules[3]`; of a workload's own file the rule's path alone. */
export function ruleName(policy: PolicyName, rule: Rule): string {
  return policy.namespace === '' ? rule.path : `${documentName(policy)} ${rule.path}`;
}

export function documentName({ namespace, name }: PolicyName): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}
