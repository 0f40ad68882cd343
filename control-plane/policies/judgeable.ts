import { compilePolicies } from '#policy/compile.ts';
import { toPolicy } from '#policy/documents.ts';
import type { PolicyDocument } from '#policy/model.ts';
import type { StoredPolicy } from '#control-plane/store/store.ts';
import type { PolicyProblem } from '#proto/policy-messages.ts';
import { policyKey } from '#proto/messages.ts';
import { problemAt, type ReadPolicy } from './read.ts';

/**
 * What no agent could judge, as far as that can be told without knowing its ports: scopes that nobody explains.
 */
export function unjudgeable(
  current: ReadonlyMap<string, StoredPolicy>,
  wanted: readonly ReadPolicy[],
): readonly PolicyProblem[] {
  const doubtful = wanted.filter(({ json }) => json.includes('"scopes"'));
  if (doubtful.length === 0) return [];
  const replaced = new Set(wanted.map(policyKey));
  const others = [...current.values()].filter((policy) => !replaced.has(policyKey(policy)));
  const explaining = [...wanted, ...others].flatMap(({ kind, json }) =>
    kind === 'ScopeTemplates' || kind === 'MeshPolicy' ? documentOf(json) : [],
  );
  return doubtful.flatMap((policy) => {
    const [document] = documentOf(policy.json);
    const problem = document && problemOf(document, explaining);
    return problem === undefined ? [] : [problemAt(policy, problem)];
  });
}

function problemOf(document: PolicyDocument, explaining: readonly PolicyDocument[]): string | undefined {
  if (document.kind !== 'AuthorizationPolicy') return undefined;
  const { namespace } = document;
  const anyone = { trustDomain: '', namespace, name: '', labels: {}, ports: undefined };
  const compiled = compilePolicies([{ ...document, selector: {} }, ...explaining], anyone);
  return compiled.ok ? undefined : `${compiled.reason[0]?.path}: ${compiled.reason[0]?.problem}`;
}

function documentOf(json: string): readonly PolicyDocument[] {
  const read = toPolicy(JSON.parse(json));
  return read.ok ? [read.value] : [];
}
