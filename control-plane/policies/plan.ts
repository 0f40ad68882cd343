import { isDeepStrictEqual } from 'node:util';
import type { StoredPolicy } from '#control-plane/store/store.ts';
import type { WorkloadFacts } from '#policy/model.ts';
import { maxPolicies, maxPoliciesLength, policyKey, type PolicyRef } from '#proto/messages.ts';
import type { PolicyChange, PolicyProblem } from '#proto/policy-messages.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { contradictions, type NamespaceOf } from './contradictions.ts';
import { unjudgeable } from './judgeable.ts';
import { problemAt, type ReadPolicy } from './read.ts';
import { unjudgedAtPorts } from './unjudged-ports.ts';

/** By `KIND/NAMESPACE/NAME`. */
export type Policies = ReadonlyMap<string, StoredPolicy>;

/** What an apply would do. */
export interface Plan {
  /** One for each document that was given. */
  readonly changes: readonly PolicyChange[];
  readonly put: readonly Omit<StoredPolicy, 'revision'>[];
  readonly gone: readonly PolicyRef[];
}

/** Who wants the documents: the operator, or the folder, whose files are all there is of it. */
export interface Applicant {
  readonly kind: 'operator' | 'folder';
  /** Where documents from files live; undefined: nowhere any more, so that the operator may have what came from there. */
  readonly folder: string | undefined;
}

/** What is known of the mesh's workloads. */
export interface KnownWorkloads {
  /** Those whose ports are known. */
  readonly workloads: () => readonly WorkloadFacts[];
  readonly namespaceOf: NamespaceOf;
}

/**
 * Compares what is wanted with what is there. Nothing is changed by halves: any problem refuses all of it. What is in force
 * just so is not held against ports or workloads that came later: it must not keep others out.
 */
export function planApply(
  current: Policies,
  wanted: readonly ReadPolicy[],
  applicant: Applicant,
  { workloads, namespaceOf }: KnownWorkloads,
): Result<Plan, readonly PolicyProblem[]> {
  const problems: PolicyProblem[] = [];
  const changes: PolicyChange[] = [];
  const put: Omit<StoredPolicy, 'revision'>[] = [];
  const changed: ReadPolicy[] = [];
  const gone = applicant.kind === 'folder' ? goneFromFolder(current, wanted) : [];
  for (const policy of wanted) {
    const { kind, namespace, name, json, file } = policy;
    const document = { kind, namespace, name, json };
    const known = current.get(policyKey(policy));
    const source = applicant.kind === 'folder' ? file : '';
    const owner = known === undefined ? undefined : foreignOwner(known, applicant);
    if (owner !== undefined) problems.push(problemAt(policy, owner));
    const outcome = outcomeOf(known, { ...document, source });
    changes.push({ ...document, outcome, before: known?.json ?? '', after: document.json });
    if (outcome === 'unchanged') continue;
    put.push({ ...document, source });
    changed.push(policy);
  }
  problems.push(...wholeProblems(current, wanted, gone), ...unjudgeable(current, wanted));
  problems.push(...unjudgedAtPorts(changed, { workloads, current, wanted }));
  problems.push(...contradictions(changed, { current, wanted, gone, namespaceOf }));
  if (wanted.length === 0 && gone.length > 0) problems.push(emptiedProblem(gone.length, applicant.folder));
  return problems.length > 0 ? refuse(problems) : ok({ changes, put, gone });
}

function goneFromFolder(current: Policies, wanted: readonly ReadPolicy[]): readonly PolicyRef[] {
  const keys = new Set(wanted.map(policyKey));
  return [...current.values()].filter((policy) => policy.source !== '' && !keys.has(policyKey(policy)));
}

/** Somebody emptied it, or it was not mounted: not every document of the mesh was meant to go. */
function emptiedProblem(kept: number, folder = ''): PolicyProblem {
  const stay = `holds no document; the ${kept} that came from there stay in force`;
  const problem = `${stay}: put them back, or take out each with \`eastwest policy delete\``;
  return { file: folder, line: 1, column: 1, path: '', problem };
}

/** Why this applicant may not touch it. */
export function foreignOwner({ source, ...ref }: StoredPolicy, { kind, folder }: Applicant): string | undefined {
  if (kind === 'folder') {
    if (source !== '') return undefined;
    return `${policyKey(ref)} was applied by the operator; first \`eastwest policy delete ${policyKey(ref)}\``;
  }
  if (source === '' || folder === undefined) return undefined;
  return `${policyKey(ref)} comes from ${source}: change it there`;
}

function outcomeOf(
  known: StoredPolicy | undefined,
  wanted: Pick<StoredPolicy, 'json' | 'source'>,
): PolicyChange['outcome'] {
  if (known === undefined) return 'created';
  return known.source === wanted.source && sameJson(known.json, wanted.json) ? 'unchanged' : 'changed';
}

/** Whatever the order of keys. */
function sameJson(a: string, b: string): boolean {
  return a === b || isDeepStrictEqual(JSON.parse(a), JSON.parse(b));
}

/** What no document alone can be blamed for. */
function wholeProblems(
  current: Policies,
  wanted: readonly ReadPolicy[],
  gone: readonly PolicyRef[],
): readonly PolicyProblem[] {
  const [first] = wanted;
  if (first === undefined) return [];
  const replaced = new Set([...gone, ...wanted].map(policyKey));
  const meshPolicies = wanted.filter(({ kind }) => kind === 'MeshPolicy');
  const names = meshPolicies.map(policyKey);
  let size = wanted.length;
  let length = 0;
  for (const { json } of wanted) length += json.length;
  for (const [key, { kind, json }] of current) {
    if (replaced.has(key)) continue;
    size += 1;
    length += json.length;
    if (kind === 'MeshPolicy') names.push(key);
  }
  const problems: PolicyProblem[] = [];
  const another = meshPolicies.at(-1);
  if (names.length > 1 && another !== undefined) {
    problems.push(problemAt(another, `a mesh has one MeshPolicy, not ${names.join(' and ')}`));
  }
  if (size > maxPolicies || length > maxPoliciesLength) {
    const room = `${maxPolicies} documents of ${maxPoliciesLength} characters in all`;
    problems.push(problemAt(first, `the mesh would have ${size} of ${length} characters; there is room for ${room}`));
  }
  return problems;
}
