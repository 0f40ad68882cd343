import { asksForToken } from '#policy/token-fields.ts';
import { isNear, rootNamespaceOf, selects } from '#policy/compile.ts';
import { httpFieldOf } from '#policy/compiled-rule.ts';
import { toPolicy } from '#policy/documents.ts';
import { unjudgedOn } from '#policy/judgeable.ts';
import type { AuthorizationPolicy, PolicyDocument, Rule, WorkloadFacts } from '#policy/model.ts';
import { policyKey, type PolicyDocument as WrittenPolicy } from '#proto/messages.ts';
import type { PolicyProblem } from '#proto/policy-messages.ts';
import type { ReadPolicy } from './read.ts';

export interface Surroundings {
  /** Those whose ports are known. */
  readonly workloads: () => readonly WorkloadFacts[];
  /** What is in force so far. */
  readonly current: ReadonlyMap<string, WrittenPolicy>;
  /** All that is to come into force. */
  readonly wanted: readonly WrittenPolicy[];
}

/** Whoever has more to correct is told again. */
const maxProblems = 1_000;

/** Where documents ask about HTTP at a port at which a workload that they select speaks TCP. */
export function unjudgedAtPorts(
  changed: readonly ReadPolicy[],
  { workloads, current, wanted }: Surroundings,
): readonly PolicyProblem[] {
  const asking = changed.flatMap((written) => {
    const document = written.kind === 'AuthorizationPolicy' ? documentOf(written) : undefined;
    return document?.kind === 'AuthorizationPolicy' && document.rules.some(asksHttp) ? [{ written, document }] : [];
  });
  if (asking.length === 0) return [];
  const speakingTcp = workloads().filter(({ ports }) => [...(ports?.values() ?? [])].includes('tcp'));
  if (speakingTcp.length === 0) return [];
  const rootNamespace = rootNamespaceOf(meshPolicyOf(current, wanted));
  const known = new Map<string, TcpPorts>();
  const problems: PolicyProblem[] = [];
  for (const { written, document } of asking) {
    const key = JSON.stringify([document.namespace, document.selector]);
    const ports = known.get(key) ?? tcpPortsOf(document, speakingTcp, rootNamespace);
    known.set(key, ports);
    for (const rule of document.rules) {
      for (const { path, problem } of unjudgedOn(rule, ports.protocols, ports.nameOf)) {
        problems.push({ file: written.file, ...written.placeOf(path), path, problem });
        if (problems.length === maxProblems) return problems;
      }
    }
  }
  return problems;
}

/** The one that holds once these are in force. */
function meshPolicyOf(
  current: ReadonlyMap<string, WrittenPolicy>,
  wanted: readonly WrittenPolicy[],
): readonly PolicyDocument[] {
  const replaced = new Set(wanted.map(policyKey));
  const others = [...current.values()].filter((policy) => !replaced.has(policyKey(policy)));
  return [...wanted, ...others].flatMap((written) => {
    const document = written.kind === 'MeshPolicy' ? documentOf(written) : undefined;
    return document === undefined ? [] : [document];
  });
}

/** Ports at which somebody whom a document selects speaks TCP. */
interface TcpPorts {
  readonly protocols: ReadonlyMap<number, 'tcp'>;
  readonly nameOf: (port: number) => string;
}

function tcpPortsOf(
  { namespace, selector }: AuthorizationPolicy,
  workloads: readonly WorkloadFacts[],
  rootNamespace: string,
): TcpPorts {
  const owners = new Map<number, string>();
  for (const workload of workloads) {
    if (!isNear(namespace, workload, rootNamespace) || !selects(selector, workload)) continue;
    for (const [port, protocol] of workload.ports ?? []) {
      if (protocol === 'tcp' && !owners.has(port)) owners.set(port, `${workload.namespace}/${workload.name}`);
    }
  }
  return {
    protocols: new Map([...owners.keys()].map((port) => [port, 'tcp'])),
    nameOf: (port) => `port ${port} of ${owners.get(port)}`,
  };
}

function asksHttp({ from, to, when }: Rule): boolean {
  return (
    to.some((operation) => httpFieldOf(operation) !== undefined) ||
    from.some((source) => asksForToken(source) !== undefined) ||
    when.some(({ key }) => key.of.startsWith('request.'))
  );
}

function documentOf({ json }: WrittenPolicy): PolicyDocument | undefined {
  const read = toPolicy(JSON.parse(json));
  return read.ok ? read.value : undefined;
}
