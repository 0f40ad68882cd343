import { yamlLines, type Plain } from '#policy/policy-yaml.ts';
import type { JudgedAgent } from './judge.ts';

/** What makes the ports of one workload strict for which that is safe, and leaves the others as they are. */
export interface StrictDocument {
  readonly workload: string;
  /** The PeerAuthentication that it takes the place of, `namespace/name`; undefined: it is a new one. */
  readonly replaces: string | undefined;
  readonly text: string;
}

/** One for each workload that has a port to be made strict. Agents of one workload are asked together. */
export function strictDocuments(agents: readonly JudgedAgent[]): readonly StrictDocument[] {
  const byName = Map.groupBy(agents, ({ told }) => told.spiffeId ?? '');
  return [...byName].flatMap(([spiffeId, replicas]) => {
    const [, namespace, workload] = /\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(spiffeId) ?? [];
    if (namespace === undefined || workload === undefined) return [];
    const ports = replicas.flatMap((replica) => replica.ports);
    const staying = new Set(
      ports.filter(({ verdict }) => verdict.kind !== 'safe' && verdict.kind !== 'strict').map(numberOf),
    );
    const isAny = ports.some((port) => port.verdict.kind === 'safe' && !staying.has(numberOf(port)));
    if (!isAny) return [];
    const { document } = replicas[0]!.told;
    const name = document?.split('/')[1] ?? workload;
    const text = documentText({ namespace, name, workload: replicas[0]!.told.workload, staying: [...staying] });
    return [{ workload, replaces: document ?? undefined, text }];
  });
}

function numberOf({ record }: JudgedAgent['ports'][number]): number {
  return record.port;
}

interface Words {
  readonly namespace: string;
  readonly name: string;
  readonly workload: string;
  readonly staying: readonly number[];
}

/** Its names come from an agent's answer: whatever they are, they stay texts. */
function documentText({ namespace, name, workload, staying }: Words): string {
  const ports = staying.toSorted((a, b) => a - b).map((port) => [port, { mode: 'PERMISSIVE' }]);
  const document = {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name, namespace },
    spec: {
      selector: { matchLabels: { app: workload } },
      mtls: { mode: 'STRICT' },
      portLevelMtls: ports.length === 0 ? undefined : (Object.fromEntries(ports) as Plain),
    },
  };
  return yamlLines(document, Infinity)
    .map((line) => `${line}\n`)
    .join('');
}
