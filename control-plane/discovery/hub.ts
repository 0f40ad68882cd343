import { createHash } from 'node:crypto';
import type { SpiffeId } from '#certs/spiffe-id.ts';
import type { ControlPlaneEvent } from '#control-plane/events.ts';
import { createPace, type Pace, type RateLimit } from '#control-plane/limits.ts';
import type { RegisteredWorkload, Store } from '#control-plane/store/store.ts';
import { addressKey } from '#proto/address-key.ts';
import type { WatchCall } from '#proto/mesh-server.ts';
import type { Endpoint, Workload } from '#proto/messages.ts';
import type { Refusal } from '#proto/refusal.ts';
import type { Clock } from '#runtime/clock.ts';
import { aborted } from '#runtime/drain.ts';
import type { Emit } from '#runtime/log.ts';
import { ok, refuse, type Result } from '#runtime/result.ts';
import { createEndpointBook, type Holder } from './endpoints.ts';
import type { PolicyFeed } from './policy-feed.ts';
import { createPolicyPush, type PolicyState } from './policy-push.ts';
import type { PortBook } from './port-book.ts';
import { createSubscription, type Snapshot, type Subscription } from './subscription.ts';
import { gather, throttle } from './throttle.ts';

export interface HubParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly emit: Emit<ControlPlaneEvent>;
  /** Roots and settings as of now. */
  facts(): Omit<Snapshot, 'workloads'>;
  readonly policies: PolicyFeed;
  readonly ports: Pick<PortBook, 'declare' | 'leave'>;
}

/** Knows all agents that listen, and tells each what it asked for. */
export interface Hub {
  watch(call: WatchCall): Promise<Result<void, Refusal>>;
  /** A workload was registered, or the facts changed. */
  refreshAll(): void;
  /** The feed has news: all agents hear of it soon. */
  policiesChanged(): void;
  /** How far each connected agent of a workload is with the policies. */
  policyStates(spiffeId: SpiffeId): readonly (PolicyState & { readonly address: string })[];
  endpointsOf(spiffeId: SpiffeId): readonly Endpoint[];
  /** Connected agents of a workload, and the lowest bundle version they have applied. */
  agentsOf(spiffeId: SpiffeId): { readonly connected: number; readonly bundleVersion: number };
  /** Connected agents, and those of them that have applied the newest token keys. */
  tokenKeyAgents(): { readonly connected: number; readonly current: number };
  close(): void;
}

interface Agent extends Holder {
  readonly address: string;
  readonly subscription: Subscription;
  policyState(): PolicyState;
  end(): void;
}

/**
 * One bad replica must not fill the control plane with streams. Replicas beyond that are still issued certificates and
 * keep what they know; while SVIDs rotate, an agent has two streams for a moment.
 */
const maxStreamsPerIdentity = 256;
/** What an agent says makes work for us and for all who call it. A wish changes when the agent starts, stops or reloads. */
const wishLimit: RateLimit = { burst: 20, perSecond: 5 };
/** Of all replicas of a workload together: all of them may start at once, or rotate within a few seconds. */
const wishesPerIdentity: RateLimit = { burst: 512, perSecond: 50 };
/** A workload's callers hear of its endpoints at once, and then so often at most. */
const tellEveryMs = 100;
/** Changes of policies within this time are one push. */
const gatherPoliciesMs = 20;
const acknowledgeLimit: RateLimit = { burst: 200, perSecond: 50 };

/** The same for all streams of one workload on one host, so that an agent that comes back hears of the same endpoints. */
const listenerOf = (name: string): number => createHash('sha256').update(name).digest().readUInt32BE();

export function createHub({ store, clock, emit, facts, policies, ports }: HubParts): Hub {
  const agents = new Set<Agent>();
  const book = createEndpointBook({
    store,
    clock,
    emit,
    onChange: throttle(tellCallers, tellEveryMs, clock),
  });
  const wishesOf = new Map<SpiffeId, Pace>();
  let isClosed = false;
  const agentsOf = (spiffeId: SpiffeId): Agent[] => [...agents].filter((agent) => agent.spiffeId === spiffeId);

  function refresh(agent: Agent): void {
    agent.subscription.refresh().catch((error: unknown) => {
      emit({ event: 'request.failed', error });
      agent.end();
    });
  }

  function tellCallers(spiffeId: SpiffeId): void {
    if (isClosed) return; // it had to wait, and the store may be gone
    const name = store.workloadById(spiffeId)?.name;
    for (const agent of agents) if (name !== undefined && agent.subscription.wants(name)) refresh(agent);
  }

  const snapshotFor = (listener: number): Snapshot => ({
    ...facts(),
    workloads: (names) => names.flatMap((name) => toWorkload(name, listener) ?? []),
  });
  function toWorkload(name: string, listener: number): Workload | undefined {
    const known = store.workloadByName(name);
    return known && { name, spiffeId: known.spiffeId, endpoints: book.told(known.spiffeId, listener) };
  }

  async function listen(agent: Agent, requests: WatchCall['requests'], signal: AbortSignal): Promise<void> {
    const { spiffeId, subscription } = agent;
    const wishes = [createPace(wishLimit, clock), getWishesOf(spiffeId)];
    const acknowledgements = createPace(acknowledgeLimit, clock);
    for await (const request of requests) {
      if (request.kind === 'acknowledge') {
        await acknowledgements.turn(signal);
        const { version, problem } = request;
        subscription.acknowledge(version, problem);
        if (problem !== '') emit({ event: 'watch.not-applied', spiffeId, version, problem });
      } else {
        for (const pace of wishes) await pace.turn(signal);
        if (signal.aborted) return;
        subscription.wish([...new Set(request.upstreams)]);
        await book.announce(agent, request.endpoints);
        await ports.declare(agent, request.ports);
        await subscription.refresh();
      }
    }
  }

  function getWishesOf(spiffeId: SpiffeId): Pace {
    const pace = wishesOf.get(spiffeId) ?? createPace(wishesPerIdentity, clock);
    wishesOf.set(spiffeId, pace);
    return pace;
  }

  function createAgent({ spiffeId, namespace }: RegisteredWorkload, call: WatchCall, end: () => void): Agent {
    const { address } = call.peer;
    const listener = listenerOf(`${spiffeId} ${addressKey(address)}`);
    const push = createPolicyPush({ feed: policies, namespace, clock, onDue: () => refresh(agent) });
    const subscription = createSubscription({
      send: call.send,
      snapshot: () => snapshotFor(listener),
      policies: push,
    });
    const agent: Agent = { spiffeId, address, subscription, policyState: push.state, end };
    return agent;
  }

  async function serve(workload: RegisteredWorkload, call: WatchCall): Promise<Result<void, Refusal>> {
    const { spiffeId } = workload;
    const broken = new AbortController();
    const agent = createAgent(workload, call, () => broken.abort());
    agents.add(agent);
    emit({ event: 'watch.opened', spiffeId, peer: call.peer.address });
    try {
      const signal = AbortSignal.any([call.signal, broken.signal]);
      await Promise.race([listen(agent, call.requests, signal), aborted(signal)]);
    } finally {
      agents.delete(agent);
      book.leave(agent);
      ports.leave(agent);
      emit({ event: 'watch.closed', spiffeId, peer: call.peer.address });
    }
    return ok(undefined);
  }

  return {
    async watch(call) {
      const admitted = admit(call);
      if (admitted.ok) return serve(admitted.value, call);
      emit({ event: 'watch.refused', reason: admitted.reason.reason, peer: call.peer.address });
      return admitted;
    },
    refreshAll: () => agents.forEach(refresh),
    policiesChanged: gather(() => agents.forEach(refresh), gatherPoliciesMs, clock),
    policyStates: (spiffeId) => agentsOf(spiffeId).map(({ address, policyState }) => ({ ...policyState(), address })),
    endpointsOf: (spiffeId) => book.of(spiffeId),
    agentsOf(spiffeId) {
      const connected = agentsOf(spiffeId);
      const versions = connected.map(({ subscription }) => subscription.bundleVersionAcknowledged());
      return { connected: connected.length, bundleVersion: connected.length === 0 ? 0 : Math.min(...versions) };
    },
    tokenKeyAgents() {
      const version = facts().tokenKeys?.version ?? 0;
      const current = [...agents].filter(({ subscription }) => subscription.tokenKeysAcknowledged() === version);
      return { connected: agents.size, current: current.length };
    },
    close() {
      isClosed = true;
      agents.forEach((agent) => agent.end());
      book.close();
    },
  };

  function admit({ peer }: WatchCall): Result<RegisteredWorkload, Refusal> {
    if (peer.kind !== 'svid') return refuse({ code: 'unauthenticated', reason: 'current-svid-not-accepted' });
    const { spiffeId } = peer.svid;
    const workload = store.workloadById(spiffeId);
    if (workload === undefined) return refuse({ code: 'permission-denied', reason: 'not-registered' });
    if (agentsOf(spiffeId).length < maxStreamsPerIdentity) return ok(workload);
    return refuse({ code: 'resource-exhausted', reason: 'too-many-streams', retryAfterMs: 10_000 });
  }
}
