import { rootNamespaceOf } from '#policy/compile.ts';
import { toPolicy } from '#policy/documents.ts';
import { warningsOf } from '#policy/warnings.ts';
import type { PolicyProblem } from '#proto/policy-messages.ts';
import type { Policies } from './plan.ts';
import type { ReadPolicy } from './read.ts';

/** More than anybody reads. */
const maxWarnings = 100;

/** What these documents say that somebody may not mean; what is left out is counted. */
export function warningsFor(
  wanted: readonly ReadPolicy[],
  current: Policies,
  trustDomain: string,
): readonly PolicyProblem[] {
  const mesh = { trustDomain, rootNamespace: rootNamespaceFor(wanted, current) };
  const warnings = wanted.flatMap((policy) =>
    warningsOf(policy.read, mesh).map(({ path, problem }) => ({
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

/** Asked for deny lists alone: there may be thousands of other documents, a hundred times a second. */
function rootNamespaceFor(wanted: readonly ReadPolicy[], current: Policies): string {
  if (!wanted.some(({ kind }) => kind === 'DenyList')) return '';
  const known = [...current.values()].filter(({ kind }) => kind === 'MeshPolicy');
  return rootNamespaceOf([
    ...wanted.map(({ read }) => read),
    ...known.flatMap(({ json }) => {
      const read = toPolicy(JSON.parse(json));
      return read.ok ? [read.value] : [];
    }),
  ]);
}
