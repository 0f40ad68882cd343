import { randomBytes } from 'node:crypto';
import type { Clock, Random } from '#runtime/clock.ts';
import { maxOpenFiles } from '#runtime/open-files.ts';
import { openAccessLog } from './access-log/open-access-log.ts';
import { createCounters } from './admin/metrics.ts';
import { Ceiling } from './ceiling.ts';
import type { AgentConfig } from './config-types.ts';
import type { DataPath, OpenListener, Side } from './data-path.ts';
import { appTimes, defaultConnect, messageLimits, peerTimes } from './defaults.ts';
import type { AgentEmit } from './events.ts';
import type { GatewayListener } from './gateway/listener.ts';
import { giveBackWhenIdle } from './give-back.ts';
import type { WorkerPlace } from './h2/types.ts';
import { createDeadlines } from './http/deadlines.ts';
import type { IdentityStore } from './identity/store.ts';
import type { InboundParts } from './inbound/inbound-parts.ts';
import { PeerShares } from './inbound/peer-shares.ts';
import { RefusalBook } from './inbound/refusal-book.ts';
import { openInbound, type InboundListener } from './inbound/listener.ts';
import { listen, type Listen } from './listen.ts';
import { createDestinations } from './outbound/destination.ts';
import { PlaintextLedger } from './plaintext/plaintext-ledger.ts';
import { PolicyCompiler } from './policy/policy-compiler.ts';
import { tellDecision } from './policy/told-decision.ts';
import { openOutbound, type OutboundListener } from './outbound/listener.ts';
import { createProofReport } from './proof/proof-report.ts';
import { createTokensOf } from './inbound/tokens-of.ts';
import { PortJudges } from './tokens/port-judges.ts';
import { KnownKeys } from './tokens/known-keys.ts';
import { attachFrom } from './tokens/open-tokens.ts';
import type { TokenCache } from './tokens/token-cache.ts';
import { createPeerPool } from './tunnel/peer-pool.ts';
import { defaultUpstreamLimits } from './tunnel/peer.ts';

export interface DataPathParts {
  readonly config: AgentConfig;
  /** Which of several it is; undefined: the only one. */
  readonly worker: WorkerPlace | undefined;
  readonly store: IdentityStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: AgentEmit;
  /** A token of this issuer (its `iss`) names a key that is not known here. */
  readonly onKeysWanted: (issuer: string) => void;
  /** Undefined where no route attaches one. */
  readonly tokens?: TokenCache | undefined;
  /** Collects this thread's garbage; undefined where the runtime cannot be told to. */
  readonly collect: (() => void) | undefined;
}

export interface LocalDataPath extends DataPath {
  /** `listenAs`: how its sockets come to listen, alone or beside others. */
  open(side: Side, listenAs?: Listen): Promise<readonly OpenListener[]>;
}

/** The data part of an agent in the thread that calls this. Builds each of its parts once and connects them. */
export function createLocalDataPath(parts: DataPathParts): LocalDataPath {
  const { config, store, clock, random, emit } = parts;
  const counters = createCounters();
  const access = config.accessLog && openAccessLog(config.accessLog, { ...parts, ...writerOf(parts) });
  const deadlines = createDeadlines(clock);
  const ended = new AbortController();
  const limits = messageLimits(config.limits);
  const destinations = createDestinations(config.outbound?.upstreams ?? []);
  const pool = createPeerPool({
    identity: store,
    clock,
    random,
    randomBytes,
    whenExpired: config.whenExpired,
    limits: { ...defaultUpstreamLimits, ...defaultConnect },
    http: { limits, deadlines },
    report: createProofReport({ counters, emit }, 'dialled'),
    onSession(event, { peer, address, reason }) {
      if (event === 'opened') counters.sessionsOpened += 1;
      if (event !== 'failed') return;
      counters.sessionsFailed += 1;
      if (reason === undefined || reason === 'unreachable') emit({ event: 'peer.unreachable', peer, address });
      else emit({ event: 'peer.refused', peer, address, reason });
    },
  });
  const { requests } = config.limits;
  const inFlight = {
    outbound: new Ceiling(requests),
    inbound: new Ceiling(requests),
    gateway: new Ceiling(requests),
  };
  const shares = new PeerShares({ requests: inFlight.inbound, streams: new Ceiling(maxConnections(parts)) });
  const shared = (of: keyof typeof inFlight) => ({
    ...{ counters, emit, clock, deadlines, limits, accessLog: access?.log },
    serverFirst: new Set(config.serverFirst),
    maxConnections: config.limits.connections,
    inFlight: inFlight[of],
    attach: parts.tokens && attachFrom(parts.tokens, clock),
  });
  const compiler = new PolicyCompiler(config.inbound?.ports ?? []);
  const refusals = new RefusalBook();
  const ledger = new PlaintextLedger({ ...parts, modeChanges: (parts.worker?.worker ?? 1) === 1 ? 'told' : 'untold' });
  const tokenKeys = new KnownKeys({ clock, onWanted: parts.onKeysWanted });
  let policy = compiler.compileOwn({ workload: config.workload, trustDomain: ownTrustDomain(config) });
  let outbound: OutboundListener | undefined;
  let inbound: InboundListener | undefined;
  let gateway: GatewayListener | undefined;

  /** What is not counted as it happens. */
  const measure = (): void => {
    counters.requestsInFlight = inFlight.outbound.count;
    counters.inboundRequestsInFlight = inFlight.inbound.count;
    counters.gatewayRequestsInFlight = inFlight.gateway.count;
    counters.connections = outbound?.connections ?? 0;
    counters.inboundConnections = inbound?.connections ?? 0;
    counters.gatewayConnections = gateway?.connections ?? 0;
    counters.sessionsOpen = pool.sessions;
    counters.endpointsAside = pool.endpointsAside;
    counters.accessLinesDropped = access?.dropped ?? 0;
  };

  return {
    async open(side, listenAs = listen) {
      if (side === 'outbound') {
        if (!config.outbound) return [];
        const times = appTimes(config.limits);
        outbound = await openOutbound(
          { ...shared('outbound'), times, pool, destinations, listen: listenAs },
          config.outbound,
        );
        return outboundListeners(outbound);
      }
      const activity = (): number =>
        counters.requests + counters.streams + counters.inboundRequests + counters.gatewayRequests;
      giveBackWhenIdle({ ...parts, activity }, ended.signal);
      const common = { times: peerTimes(config.limits), listen: listenAs, maxConnections: maxConnections(parts) };
      if (config.inbound) {
        const own = inboundParts(parts);
        const judges = new PortJudges({ keys: tokenKeys, counters, clock, self: own.self });
        const tokensOf = createTokensOf({ ...own, judges, clock, onExpired: () => inbound?.reconsider() });
        inbound = await openInbound(
          { ...shared('inbound'), ...own, ...common, shares, policy: () => policy, refusals, ledger, tokensOf },
          config.inbound,
        );
      }
      if (config.gateway) {
        const ways = { ...shared('gateway'), ...common, pool, destinations, workers: config.workers };
        const { openGateway } = await import('./gateway/listener.ts'); // most agents are none
        gateway = await openGateway(ways, config.gateway, config.outbound?.upstreams ?? []);
      }
      return [...inboundListeners(inbound), ...gatewayListeners(gateway)];
    },
    useWorkloads: (workloads) => destinations.update(workloads),
    usePolicies(pushed) {
      const compiled = compiler.compile(pushed);
      if (compiled.policy !== undefined) {
        ({ policy } = compiled);
        inbound?.reconsider();
      }
      return { isInForce: compiled.policy !== undefined, problem: compiled.problem };
    },
    useTokenKeys(keys) {
      if (tokenKeys.use(keys) === 'less') inbound?.reconsider();
    },
    plaintextCallers: () => Promise.resolve(ledger.report(policy.mtls.document)),
    decision: (id) => Promise.resolve(tellDecision(id, refusals, compiler)),
    report() {
      measure();
      const connections = {
        outbound: counters.connections,
        inbound: counters.inboundConnections + counters.gatewayConnections,
      };
      return Promise.resolve({ counters, connections, workers: [] });
    },
    drain(side) {
      if (side === 'outbound') return outbound?.drain();
      inbound?.drain();
      gateway?.drain();
    },
    async end() {
      ended.abort();
      pool.retireAll();
      inbound?.destroy();
      gateway?.destroy();
      outbound?.destroy();
      pool.destroyAll();
      deadlines.stop();
      await access?.close();
    },
    failed: new Promise(() => undefined), // what fails here fails the whole process
  };
}

function outboundListeners({ upstreams, httpProxy }: OutboundListener): OpenListener[] {
  const open = upstreams.map(({ upstream, address }) => ({
    purpose: `upstream ${upstream.workload}:${upstream.port}`,
    address,
  }));
  return httpProxy ? [...open, { purpose: 'http-proxy', address: httpProxy }] : open;
}

function inboundListeners(inbound: InboundListener | undefined): OpenListener[] {
  if (!inbound) return [];
  const own = inbound.ports.map(({ port, address }) => ({ purpose: `port ${port}`, address }));
  return [{ purpose: 'inbound', address: inbound.address }, ...own];
}

function gatewayListeners(gateway: GatewayListener | undefined): OpenListener[] {
  const { https, http } = gateway ?? {};
  return [
    ...(https ? [{ purpose: 'gateway https', address: https }] : []),
    ...(http ? [{ purpose: 'gateway http', address: http }] : []),
  ];
}

/**
 * Of those who call from elsewhere. Each one's connection may need one to the app or to a peer, and the app's side of the
 * agent needs sockets too.
 */
function maxConnections({ config, worker }: DataPathParts): number {
  const sides = config.inbound && config.gateway ? 2 : 1;
  const files = Math.floor((maxOpenFiles() ?? Infinity) * 0.4);
  return Math.min(config.limits.connections, Math.ceil(files / sides / (worker?.of ?? 1)));
}

function writerOf({ config, store }: DataPathParts) {
  return { workload: config.workload, spiffeId: () => store.current()?.svid.spiffeId };
}

function inboundParts({ config, store, worker }: DataPathParts) {
  return {
    identity: store,
    randomBytes,
    spoken: new Map(),
    answeringHttp: new Set(),
    ports: new Map((config.inbound?.ports ?? []).map((port) => [port.port, port])),
    whenExpired: config.whenExpired,
    worker,
    self: () => {
      const snapshot = store.current();
      if (!snapshot) throw new Error('inbound was opened before the first identity');
      return snapshot.svid.spiffeId;
    },
  } satisfies Partial<InboundParts>;
}

/** That of the identity's own authority, where it comes from files. */
function ownTrustDomain({ identity, trustDomain }: AgentConfig): string {
  return identity.kind === 'files' ? identity.trustDomain : trustDomain;
}
