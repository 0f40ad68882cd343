import type { AuthorizationPolicy, Call, PolicyDocument, Rule, WorkloadFacts } from '#policy/model.ts';
import { effectOf, expand, readingFor, tellCondition, tellOperation, tellSource, type Told } from './naive-policy.ts';

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
    own,
    action,
    documents,
  }: { call: Call; own: string; action: AuthorizationPolicy['action']; documents: readonly PolicyDocument[] },
): readonly string[] {
  const holds = (told: Told): boolean => (action === 'ALLOW' ? told === true : told !== false);
  const templates = documents.filter((document) => document.kind === 'ScopeTemplates').flatMap(({ scopes }) => scopes);
  const firstOf = <T extends object>(item: T, order: readonly (keyof T & string)[], tell: (alone: T) => Told) =>
    order.find((field) => item[field] !== undefined && !holds(tell({ [field]: item[field] } as T)));
  const readings = (rule.from.length === 0 ? [undefined] : rule.from).map((source) => {
    const read = readingFor(source, rule.when, { call, own, effect: effectOf(action) });
    const asked = read === 'about nobody foreign' ? { source, when: rule.when } : read;
    const failed = asked.source && firstOf(asked.source, sourceOrder, (alone) => tellSource(alone, call));
    return { ...asked, failed: failed ?? (read === 'about nobody foreign' ? '' : undefined) };
  });
  const from = readings.map(({ failed }) => failed);
  const holding = readings.filter(({ failed }) => failed === undefined);
  const to = rule.to.map((operation) =>
    firstOf(operation, operationOrder, (alone) => tellOperation(expand(alone, templates), call)),
  );
  /** Fails whichever source that holds it stands beside. */
  const when = rule.when.map(({ key }, index) =>
    holding
      .map((reading) =>
        firstOf(reading.when[index]!, ['values', 'notValues'], (alone) => tellCondition({ ...alone, key }, call)),
      )
      .reduce<string | undefined>((sofar, failed) => sofar && failed, 'none'),
  );
  const at = (part: string, failed: readonly (string | undefined)[]): string[] =>
    failed.flatMap((field, index) =>
      field === undefined ? [] : `spec.${rule.path}.${part.replace('N', `${index}`)}${field}`.replace(/\.$/, ''),
    );
  if (!from.includes(undefined)) return at(rule.from.length === 0 ? 'from.' : 'from[N].source.', from);
  if (to.length > 0 && !to.includes(undefined)) return at('to[N].operation.', to);
  return at('when[N].', when).slice(0, 1);
}

const sourceOrder = [
  'principals',
  'notPrincipals',
  'namespaces',
  'notNamespaces',
  'requestPrincipals',
  'notRequestPrincipals',
  'roles',
  'notRoles',
] as const;
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
