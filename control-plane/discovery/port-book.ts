import { trustDomainOf, type SpiffeId } from '#certs/spiffe-id.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import type { Store } from '#control-plane/store/store.ts';
import type { WorkloadFacts } from '#policy/model.ts';
import { workloadLabels } from '#policy/workload-labels.ts';
import type { DeclaredPort } from '#proto/messages.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Emit } from '#runtime/log.ts';
import type { Holder } from './endpoints.ts';

/** Of all agents of one workload together, were each to declare others; of more nothing is known. */
export const maxPortsPerIdentity = 400;

export interface PortBook {
  /** Grows with each change. */
  version(): number;
  /** Replaces what this holder declared before. Resolves when it is on disk. */
  declare(holder: Holder, ports: readonly DeclaredPort[]): Promise<void>;
  leave(holder: Holder): void;
  /** We end, and all streams with us: whoever leaves from now on has not changed. */
  close(): void;
  /**
   * Every workload of whose ports something is known: by its connected agents, or as long as a certificate of its last ones
   * may be valid, by those. A port at which any of them takes TCP counts as TCP.
   */
  readonly workloads: () => readonly WorkloadFacts[];
}

export interface PortBookParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
}

/** What each workload takes at its ports, as its agents say; kept in the store, so that a restart forgets nothing. */
export function createPortBook({ store, clock, emit }: PortBookParts): PortBook {
  const holders = new Map<SpiffeId, Map<Holder, readonly DeclaredPort[]>>();
  const known = new Map<SpiffeId, readonly DeclaredPort[]>();
  let version = 0;
  let isClosed = false;
  /** Made once for each change: policies are judged more often than ports change. */
  const facts = new Map<SpiffeId, WorkloadFacts>();
  for (const { spiffeId, port, protocol } of store.ports()) {
    know(spiffeId, [...(known.get(spiffeId) ?? []), { port, protocol }]);
  }

  function know(spiffeId: SpiffeId, ports: readonly DeclaredPort[]): void {
    known.set(spiffeId, ports);
    const workload = store.workloadById(spiffeId);
    if (workload === undefined || ports.length === 0) return void facts.delete(spiffeId);
    const { namespace, name } = workload;
    const trustDomain = trustDomainOf(spiffeId);
    facts.set(spiffeId, { trustDomain, namespace, name, labels: workloadLabels(name), ports: byPort(ports) });
  }

  /** What the connected agents say together; with nobody connected it stays what it was. */
  async function settle(spiffeId: SpiffeId): Promise<void> {
    const connected = holders.get(spiffeId);
    if (connected === undefined || connected.size === 0) return;
    const ports = union([...connected.values()].flat());
    if (textOf(ports) === textOf(known.get(spiffeId) ?? [])) return;
    await store.write((writer) => writer.setPorts(spiffeId, ports));
    know(spiffeId, ports);
    version += 1;
  }

  /** A connected one was registered, whatever its certificate. */
  function isCurrent(spiffeId: SpiffeId): boolean {
    if (holders.has(spiffeId)) return true;
    return (store.workloadById(spiffeId)?.notAfterMs ?? 0) > clock.now();
  }

  return {
    version: () => version,
    declare(holder, ports) {
      const { spiffeId } = holder;
      const connected = holders.get(spiffeId) ?? new Map<Holder, readonly DeclaredPort[]>();
      holders.set(spiffeId, connected.set(holder, ports));
      return settle(spiffeId);
    },
    leave(holder) {
      const { spiffeId } = holder;
      const connected = holders.get(spiffeId);
      if (connected?.delete(holder) !== true) return;
      if (connected.size === 0) holders.delete(spiffeId);
      if (isClosed) return;
      settle(spiffeId).catch((error: unknown) => emit({ event: 'request.failed', error }));
    },
    close() {
      isClosed = true;
    },
    workloads: () => [...facts].flatMap(([spiffeId, workload]) => (isCurrent(spiffeId) ? [workload] : [])),
  };
}

/** Each port with each protocol once, in order. */
function union(ports: readonly DeclaredPort[]): readonly DeclaredPort[] {
  const different = new Map(ports.map((declared) => [`${declared.port} ${declared.protocol}`, declared]));
  return [...different.values()]
    .toSorted((a, b) => a.port - b.port || a.protocol.localeCompare(b.protocol))
    .slice(0, maxPortsPerIdentity);
}

function byPort(ports: readonly DeclaredPort[]): ReadonlyMap<number, DeclaredPort['protocol']> {
  const protocols = new Map<number, DeclaredPort['protocol']>();
  for (const { port, protocol } of ports) if (protocols.get(port) !== 'tcp') protocols.set(port, protocol);
  return protocols;
}

function textOf(ports: readonly DeclaredPort[]): string {
  return ports.map(({ port, protocol }) => `${port} ${protocol}`).join();
}
