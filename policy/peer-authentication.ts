import { ok, refuse, type Result } from '#runtime/result.ts';
import type { MtlsMode, PeerAuthentication } from './model.ts';

interface Ambiguity {
  readonly kind: 'PeerAuthentication';
  readonly policy: string;
  readonly path: string;
  readonly problem: string;
}

/** Which mode each port is in. */
export interface MtlsModes {
  of(port: number): MtlsMode;
  /** The document that is about this workload by its labels, `namespace/name`; undefined: there is none. */
  readonly document: string | undefined;
}

/**
 * Which mode each port is in: as its own entry says, else the workload's document, its namespace's, the mesh's, then the
 * workload's own file (a document without a namespace); STRICT where none does. One with a selector is about workloads of its own namespace, also in the root namespace. Refuses two
 * documents of the same width: nothing says which of them holds.
 */
export function mtlsOf(
  selecting: readonly PeerAuthentication[],
  { namespace, rootNamespace }: { readonly namespace: string; readonly rootNamespace: string },
): Result<MtlsModes, readonly Ambiguity[]> {
  const isWide = ({ selector }: PeerAuthentication): boolean => Object.keys(selector).length === 0;
  const file = selecting.find((each) => each.namespace === '');
  const own = selecting.filter((each) => each !== file && each.namespace === namespace);
  const levels = [
    own.filter((each) => !isWide(each)),
    own.filter((each) => isWide(each) && namespace !== rootNamespace),
    selecting.filter((each) => isWide(each) && each.namespace === rootNamespace),
  ];
  const ambiguous = levels.flatMap(([first, ...others]) =>
    others.map(({ kind, namespace: of, name }) => ({
      kind,
      policy: `${of}/${name}`,
      path: 'spec.selector',
      problem: `is about the same workload as ${first?.namespace}/${first?.name}: delete one, or narrow its selector`,
    })),
  );
  if (ambiguous.length > 0) return refuse(ambiguous);
  const [workload, ...wider] = levels.map(([only]) => only);
  const general = [workload, ...wider].find((each) => each?.mode !== undefined)?.mode;
  return ok({
    of: (port) => workload?.ports.get(port) ?? general ?? file?.ports.get(port) ?? 'STRICT',
    document: workload && `${workload.namespace}/${workload.name}`,
  });
}
