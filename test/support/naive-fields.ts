import type { AuthorizationPolicy, Call, PolicyDocument, Rule, WorkloadFacts } from '#policy/model.ts';
import { expand, tellCondition, tellOperation, tellSource, type Told } from './naive-policy.ts';

/** The policies that select a workload, found the plainest way. */
export function naivelySelecting(
  documents: readonly PolicyDocument[],
  workload: WorkloadFacts,
): readonly AuthorizationPolicy[] {
  const mesh = documents.find((document) => document.kind === 'MeshPolicy');
  const namespaces = [workload.namespace, mesh?.rootNamespace ?? 'istio-system'];
  return documents
    .filter((document) => document.kind === 'AuthorizationPolicy')
    .filter(({ namespace }) => namespaces.includes(namespace))
    .filter(({ selector }) => Object.entries(selector).every(([name, value]) => workload.labels[name] === value));
}

/** The paths of the first fields that fail: of every source, else of every operation, else of the first condition. */
export function naivelyFailed(
  rule: Rule,
  {
    call,
    action,
    documents,
  }: { call: Call; action: AuthorizationPolicy['action']; documents: readonly PolicyDocument[] },
): readonly string[] {
  const holds = (told: Told): boolean => (action === 'ALLOW' ? told === true : told !== false);
  const templates = documents.filter((document) => document.kind === 'ScopeTemplates').flatMap(({ scopes }) => scopes);
  const firstOf = <T extends object>(item: T, order: readonly (keyof T & string)[], tell: (alone: T) => Told) =>
    order.find((field) => item[field] !== undefined && !holds(tell({ [field]: item[field] } as T)));
  const from = rule.from.map((source) => firstOf(source, sourceOrder, (alone) => tellSource(alone, call.principal)));
  const to = rule.to.map((operation) =>
    firstOf(operation, operationOrder, (alone) => tellOperation(expand(alone, templates), call)),
  );
  const when = rule.when.map((condition) =>
    firstOf(condition, ['values', 'notValues'], (alone) => tellCondition({ ...alone, key: condition.key }, call)),
  );
  const at = (part: string, failed: readonly (string | undefined)[]): string[] =>
    failed.flatMap((field, index) =>
      field === undefined ? [] : `spec.${rule.path}.${part.replace('N', `${index}`)}${field}`,
    );
  if (from.length > 0 && !from.includes(undefined)) return at('from[N].source.', from);
  if (to.length > 0 && !to.includes(undefined)) return at('to[N].operation.', to);
  return at('when[N].', when).slice(0, 1);
}

const sourceOrder = ['principals', 'notPrincipals', 'namespaces', 'notNamespaces'] as const;
const operationOrder = [
  'ports',
  'notPorts',
  'hosts',
  'notHosts',
  'methods',
  'notMethods',
  'paths',
  'notPaths',
  'scopes',
] as const;
