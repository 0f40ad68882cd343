import { toPolicy } from '#policy/documents.ts';
import type { PeerAuthentication } from '#policy/model.ts';
import { nameSelectedBy } from '#policy/workload-labels.ts';
import { policyKey, type PolicyDocument as WrittenPolicy, type PolicyRef } from '#proto/messages.ts';
import type { PolicyProblem } from '#proto/policy-messages.ts';
import type { ReadPolicy } from './read.ts';

/** In which namespace the workload of a name is registered; undefined: there is none so far. */
export type NamespaceOf = (name: string) => string | undefined;

export interface Neighbours {
  /** What is in force so far. */
  readonly current: ReadonlyMap<string, WrittenPolicy>;
  /** All that is to come into force. */
  readonly wanted: readonly WrittenPolicy[];
  readonly gone: readonly PolicyRef[];
  readonly namespaceOf: NamespaceOf;
}

/**
 * PeerAuthentications of the same width about the same workloads: nothing says which holds, so no agent could tell the mode
 * of its ports. Also two with different selectors, where a workload that is registered has the labels of both.
 */
export function contradictions(
  changed: readonly ReadPolicy[],
  { current, wanted, gone, namespaceOf }: Neighbours,
): readonly PolicyProblem[] {
  const asking = changed.filter(({ kind }) => kind === 'PeerAuthentication');
  if (asking.length === 0) return [];
  const replaced = new Set([...gone, ...asking].map(policyKey));
  const staying = new Map([...current.values(), ...wanted].map((policy) => [policyKey(policy), policy]));
  const taken = new Map<string, PolicyRef>();
  for (const [key, policy] of staying) {
    const document = replaced.has(key) ? undefined : modesOf(policy);
    if (document !== undefined) taken.set(reachOf(document, namespaceOf), policy);
  }
  return asking.flatMap((policy) => {
    if (policy.read.kind !== 'PeerAuthentication') return [];
    const reach = reachOf(policy.read, namespaceOf);
    const rival = taken.get(reach);
    if (rival === undefined) {
      taken.set(reach, policy);
      return [];
    }
    const path = isWide(policy.read) ? 'metadata.namespace' : 'spec.selector';
    return [
      { file: policy.file, ...policy.placeOf(path), path, problem: problemWith(rival, policy.read, namespaceOf) },
    ];
  });
}

function problemWith(rival: PolicyRef, { namespace, selector }: PeerAuthentication, namespaceOf: NamespaceOf): string {
  const name = nameOf({ namespace, selector }, namespaceOf);
  const other = `PeerAuthentication ${rival.namespace}/${rival.name}`;
  if (isWide({ selector })) return `is for the same namespace as ${other}: delete one, or give it a selector`;
  const which = name === undefined ? '' : `, ${namespace}/${name},`;
  return `is about the same workload${which} as ${other}: delete one, or narrow its selector`;
}

/** The same text for two that are about the same workloads and equally wide. */
function reachOf(document: PeerAuthentication, namespaceOf: NamespaceOf): string {
  const labels = Object.entries(document.selector).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([document.namespace, nameOf(document, namespaceOf) ?? labels]);
}

/** Of the registered workload that it is about. */
function nameOf(
  { namespace, selector }: Pick<PeerAuthentication, 'namespace' | 'selector'>,
  namespaceOf: NamespaceOf,
): string | undefined {
  const name = nameSelectedBy(selector);
  return name !== undefined && namespaceOf(name) === namespace ? name : undefined;
}

function isWide({ selector }: Pick<PeerAuthentication, 'selector'>): boolean {
  return Object.keys(selector).length === 0;
}

function modesOf({ kind, json }: WrittenPolicy): PeerAuthentication | undefined {
  const read = kind === 'PeerAuthentication' ? toPolicy(JSON.parse(json)) : undefined;
  return read?.ok === true && read.value.kind === 'PeerAuthentication' ? read.value : undefined;
}
