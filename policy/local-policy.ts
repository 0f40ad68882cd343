import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { AuthorizationPolicy, MtlsMode, Pattern, PeerAuthentication, WorkloadFacts } from './model.ts';
import { scheme } from './patterns.ts';

/** Who may use a port, as a workload's own file lists them. */
export interface PortAllowance {
  readonly port: number;
  /** `any-peer`: every verified peer of the trust domain. */
  readonly allow: readonly SpiffeId[] | 'any-peer';
}

/** The `allow` lists of agent.yaml as a policy, without a namespace: it is about this workload alone. */
export function localPolicy(ports: readonly PortAllowance[]): AuthorizationPolicy {
  return {
    kind: 'AuthorizationPolicy',
    dialect: 'eastwest.dev/v1',
    namespace: '',
    name: 'agent.yaml',
    selector: {},
    action: 'ALLOW',
    rules: ports.map(({ port, allow }) => ({
      path: `ports[${port}].allow`,
      isDryRun: false,
      from: [{ principals: principalsOf(allow) }],
      to: [{ ports: [port] }],
      when: [],
    })),
  };
}

/** The `mode` of each port in agent.yaml, where no document of the mesh says otherwise. */
export function localModes(modes: ReadonlyMap<number, MtlsMode>): PeerAuthentication {
  return {
    ...{ kind: 'PeerAuthentication', namespace: '', name: 'agent.yaml', selector: {} },
    ...{ mode: undefined, ports: modes },
  };
}

/** Whatever else is said: this workload takes mTLS only. Stands in the place of documents that cannot be judged. */
export function strictOnly({ namespace, labels }: WorkloadFacts): PeerAuthentication {
  const name = 'in the place of what cannot be judged';
  return { kind: 'PeerAuthentication', namespace, name, selector: labels, mode: 'STRICT', ports: new Map() };
}

function principalsOf(allow: PortAllowance['allow']): readonly Pattern[] {
  if (allow === 'any-peer') return [{ kind: 'present' }];
  return allow.map((id) => ({ kind: 'exact', text: id.slice(scheme.length) }));
}
