import { randomBytes } from 'node:crypto';
import type { Workload } from '#proto/messages.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { aborted, type Phases } from '#runtime/drain.ts';
import { indexRules, type Rule } from '#policy/decide.ts';
import { createCounters, type AgentCounters } from './admin/metrics.ts';
import { createReadiness, type Readiness } from './admin/readiness.ts';
import { startAdmin } from './admin/server.ts';
import type { Address, AgentConfig } from './config-types.ts';
import { appTimes, defaultConnect, messageLimits, peerTimes } from './defaults.ts';
import { drainAll } from './drain-all.ts';
import type { AgentEmit } from './events.ts';
import { giveBackWhenIdle } from './give-back.ts';
import { createDeadlines, type Deadlines } from './http/deadlines.ts';
import type { IdentitySource } from './identity/source.ts';
import { createIdentityStore, type IdentitySnapshot, type IdentityStore } from './identity/store.ts';
import { openInbound, type InboundListener } from './inbound/listener.ts';
import { createDestinations, type Destinations } from './outbound/destination.ts';
import { openOutbound, type OutboundListener } from './outbound/listener.ts';
import { createProofReport } from './proof/proof-report.ts';
import { createPeerPool, type PeerPool } from './tunnel/peer-pool.ts';
import { defaultUpstreamLimits } from './tunnel/upstream-limits.ts';

export interface AgentParts {
  readonly config: AgentConfig;
  readonly version: string;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: AgentEmit;
  /** Collects garbage; undefined where the runtime cannot be told to. */
  readonly collect: (() => void) | undefined;
  /** Called once, when the agent is ready. */
  readonly onReady: () => void;
}

/** What the agent's parts share. */
interface Core extends AgentParts {
  readonly store: IdentityStore;
  readonly counters: AgentCounters;
  readonly readiness: Readiness;
  readonly destinations: Destinations;
  readonly deadlines: Deadlines;
  readonly pool: PeerPool;
}

interface Source extends IdentitySource {
  announce(endpoints: readonly Address[]): void;
}

/**
 * Runs one agent: identity first, then inbound; outbound from the start, so that an app that is early gets a clear 503.
 * Builds each part once and connects them. Throws `Fault` when it cannot start or can never get an identity.
 */
export async function runAgent(parts: AgentParts, phases: Phases): Promise<void> {
  const startedMs = parts.clock.monotonic();
  const core = createCore(parts);
  const ended = new AbortController();
  const source = await createSource(core);
  const drain = new AbortController();
  const stop = AbortSignal.any([phases.stop, drain.signal]);
  const admin = await startAdmin({
    config: parts.config,
    facts: () => ({
      workload: parts.config.workload,
      identity: core.store.current(),
      source: source.status(),
      readiness: core.readiness.report(),
      counters: core.counters,
    }),
    drain: () => drain.abort(),
    renew: () => source.renewNow(),
  });
  if (admin.address) parts.emit({ event: 'listener.open', purpose: 'admin', address: show(admin.address) });
  const identityLost = source.run(AbortSignal.any([ended.signal, phases.kill]));
  identityLost.catch(() => undefined); // raced below; a rejection while stopping is no fault
  const serving = serve({ core, source, startedMs }, { stop, kill: phases.kill });
  try {
    await Promise.race([serving, identityLost]);
  } catch (error) {
    if (!phases.kill.aborted) throw error;
  } finally {
    ended.abort();
    core.pool.destroyAll();
    core.deadlines.stop();
    await Promise.allSettled([identityLost, admin.close()]);
  }
}

function createCore(parts: AgentParts): Core {
  const { config, clock, random, emit } = parts;
  const store = createIdentityStore();
  const counters = createCounters();
  const deadlines = createDeadlines(clock);
  const pool = createPeerPool({
    identity: store,
    clock,
    random,
    randomBytes,
    whenExpired: config.whenExpired,
    limits: { ...defaultUpstreamLimits, ...defaultConnect },
    http: { limits: messageLimits(config.limits), deadlines },
    report: createProofReport({ counters, emit }, 'dialled'),
    onSession(event, { peer, address, reason }) {
      if (event === 'opened') counters.sessionsOpened += 1;
      if (event !== 'failed') return;
      counters.sessionsFailed += 1;
      emit({ event: 'peer.refused', workload: peer, address, reason: reason ?? 'unreachable' });
    },
  });
  const destinations = createDestinations(config.outbound?.upstreams ?? []);
  return { ...parts, store, counters, readiness: createReadiness(store, clock), destinations, deadlines, pool };
}

async function createSource(core: Core): Promise<Source> {
  const { config, destinations } = core;
  const { identity } = config;
  if (identity.kind === 'files') {
    const { FileIdentity } = await import('./identity/file-identity.ts');
    const files = new FileIdentity({ ...core, config: identity });
    return {
      run: (signal) => files.run(signal),
      renewNow: () => files.renewNow(),
      status: () => files.status(),
      announce: () => undefined,
    };
  }
  const { createControlPlaneIdentity } = await import('./identity/control-plane-identity.ts');
  return createControlPlaneIdentity({
    ...core,
    config: identity,
    workload: config.workload,
    trustDomain: config.trustDomain,
    agentVersion: core.version,
    upstreams: namesToWatch(config),
    onWorkloads: (workloads: readonly Workload[]) => destinations.update(workloads),
  });
}

/** Upstreams whose whereabouts the control plane must tell. */
function namesToWatch(config: AgentConfig): string[] {
  const upstreams = config.outbound?.upstreams ?? [];
  return [...new Set(upstreams.filter((u) => !u.spiffeId || !u.endpoints).map((u) => u.workload))];
}

interface Serving {
  readonly core: Core;
  readonly source: Source;
  readonly startedMs: number;
}

async function serve(serving: Serving, { stop, kill }: Phases): Promise<void> {
  const { core, source } = serving;
  const { config, clock, readiness, emit, counters } = core;
  readiness.block('starting', 'waiting for the first SVID');
  const outbound = await startOutbound(serving);
  const first = await core.store.first(AbortSignal.any([stop, kill])).catch(() => undefined);
  const inbound = first && (await becomeReady(serving, first));
  if (first) {
    const activity = (): number => counters.requests + counters.streams + counters.inboundRequests;
    giveBackWhenIdle({ ...core, activity }, stop);
    await aborted(AbortSignal.any([stop, kill]));
  }
  readiness.block('draining', 'the agent was told to stop');
  emit({ event: 'agent.draining', drainMs: config.drainMs });
  source.announce([]);
  const calls = (): number => counters.requests + counters.streams;
  await drainAll({ clock, inbound, outbound, pool: core.pool, calls }, kill);
}

/** Open from the start: an app that is early gets a clear 503. */
async function startOutbound({ core }: Serving): Promise<OutboundListener | undefined> {
  const { config, emit, pool, destinations } = core;
  if (!config.outbound) return undefined;
  const parts = { ...shared(core), times: appTimes(config.limits), pool, destinations };
  const outbound = await openOutbound(parts, config.outbound);
  for (const { upstream, address } of outbound.upstreams) {
    emit({ event: 'listener.open', purpose: `upstream ${upstream.workload}:${upstream.port}`, address: show(address) });
  }
  if (outbound.httpProxy) emit({ event: 'listener.open', purpose: 'http-proxy', address: show(outbound.httpProxy) });
  return outbound;
}

/** With the first identity: inbound opens, peers are told where, and the agent says that it is ready. */
async function becomeReady(serving: Serving, { svid }: IdentitySnapshot): Promise<InboundListener | undefined> {
  const { core, source, startedMs } = serving;
  const { config, clock, readiness, emit } = core;
  const parts = { ...shared(core), times: peerTimes(config.limits), ...inboundParts(core) };
  const inbound = config.inbound && (await openInbound(parts, config.inbound));
  if (inbound) emit({ event: 'listener.open', purpose: 'inbound', address: show(inbound.address) });
  for (const { port, address } of inbound?.ports ?? []) {
    emit({ event: 'listener.open', purpose: `mtls ${port}`, address: show(address) });
  }
  source.announce(inbound ? [config.inbound?.advertise ?? inbound.address] : []);
  readiness.clear('starting');
  emit({ event: 'agent.ready', spiffeId: svid.spiffeId, startMs: Math.round(clock.monotonic() - startedMs) });
  core.onReady();
  return inbound;
}

function shared({ config, counters, emit, clock, deadlines }: Core) {
  return {
    ...{ counters, emit, clock, deadlines, limits: messageLimits(config.limits) },
    serverFirst: new Set(config.serverFirst),
    maxConnections: config.limits.connections,
    maxRequests: config.limits.requests,
    inFlight: { requests: 0 },
  };
}

function inboundParts({ config, store }: Core) {
  const rules: Rule[] = (config.inbound?.ports ?? []).map(({ port, allow }) => ({
    name: `ports[${port}].allow`,
    port,
    principals: allow,
  }));
  const index = indexRules(rules);
  return {
    identity: store,
    randomBytes,
    rules: () => index,
    spoken: new Map(),
    ports: new Map((config.inbound?.ports ?? []).map((port) => [port.port, port])),
    whenExpired: config.whenExpired,
    self: () => {
      const snapshot = store.current();
      if (!snapshot) throw new Error('inbound was opened before the first identity');
      return snapshot.svid.spiffeId;
    },
  };
}

function show({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
