import { rootNamespaceOf } from '#policy/compile.ts';
import { toPolicy } from '#policy/documents.ts';
import type { PolicyDocument } from '#policy/model.ts';
import type { ValueProblem } from '#policy/schema-issues.ts';
import { warningsOf } from '#policy/warnings.ts';
import { nameSelectedBy } from '#policy/workload-labels.ts';
import type { PolicyProblem } from '#proto/policy-messages.ts';
import type { NamespaceOf } from './contradictions.ts';
import type { Policies } from './plan.ts';
import type { ReadPolicy } from './read.ts';

/** More than anybody reads. */
const maxWarnings = 100;

/** What documents are read against. */
export interface Registered {
  readonly trustDomain: string;
  /** Undefined: nobody is asked, as in a folder that is read before the workloads of a mesh are registered. */
  readonly namespaceOf: NamespaceOf | undefined;
}

/** What these documents say that somebody may not mean; what is left out is counted. */
export function warningsFor(
  wanted: readonly ReadPolicy[],
  current: Policies,
  { trustDomain, namespaceOf }: Registered,
): readonly PolicyProblem[] {
  const mesh = { trustDomain, rootNamespace: rootNamespaceFor(wanted, current) };
  const found = ({ read }: ReadPolicy): readonly ValueProblem[] => [
    ...warningsOf(read, mesh),
    ...(namespaceOf === undefined ? [] : selectorWarnings(read, mesh, namespaceOf)),
  ];
  const warnings = wanted.flatMap((policy) =>
    found(policy).map(({ path, problem }) => ({
      file: policy.file,
      ...policy.placeOf(path),
      path,
      problem,
    })),
  );
  const [next, ...more] = warnings.slice(maxWarnings);
  if (next === undefined) return warnings;
  return [...warnings.slice(0, maxWarnings), { ...next, path: '', problem: `and ${more.length + 1} more` }];
}

/** A workload may come later: then it is right. */
function selectorWarnings(
  document: PolicyDocument,
  { rootNamespace }: { readonly rootNamespace: string },
  namespaceOf: NamespaceOf,
): readonly ValueProblem[] {
  if (!hasSelector(document)) return [];
  const name = nameSelectedBy(document.selector);
  const namespace = name === undefined ? undefined : namespaceOf(name);
  const isForAll = document.kind === 'AuthorizationPolicy' && document.namespace === rootNamespace;
  if (namespace !== undefined && (isForAll || namespace === document.namespace)) return [];
  const where = namespace === undefined ? '' : `: ${name} is of the namespace ${namespace}`;
  const of = isForAll ? '' : ` in ${document.namespace}`;
  return [{ path: 'spec.selector', problem: `no workload that is registered${of} has these labels${where}` }];
}

function hasSelector(
  document: PolicyDocument,
): document is Extract<PolicyDocument, { kind: 'AuthorizationPolicy' | 'PeerAuthentication' }> {
  return 'selector' in document && Object.keys(document.selector).length > 0;
}

/** Asked where it matters alone: there may be thousands of other documents, a hundred times a second. */
function rootNamespaceFor(wanted: readonly ReadPolicy[], current: Policies): string {
  if (!wanted.some(({ kind, read }) => kind === 'DenyList' || hasSelector(read))) return '';
  const known = [...current.values()].filter(({ kind }) => kind === 'MeshPolicy');
  return rootNamespaceOf([
    ...wanted.map(({ read }) => read),
    ...known.flatMap(({ json }) => {
      const read = toPolicy(JSON.parse(json));
      return read.ok ? [read.value] : [];
    }),
  ]);
}
