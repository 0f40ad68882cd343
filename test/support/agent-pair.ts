import { Ceiling } from '#agent/ceiling.ts';
import { PeerShares } from '#agent/inbound/peer-shares.ts';
import { randomBytes } from 'node:crypto';
import { createAccessLog, type AccessLog } from '#agent/access-log/access-log.ts';
import { createCounters, type AgentCounters } from '#agent/admin/metrics.ts';
import type { Address, InboundPortConfig, LimitsConfig, UpstreamConfig } from '#agent/config-types.ts';
import type { AgentEvent } from '#agent/events.ts';
import { createDeadlines } from '#agent/http/deadlines.ts';
import { listen } from '#agent/listen.ts';
import { createIdentityStore, type IdentityStore } from '#agent/identity/store.ts';
import { openInbound, type InboundListener } from '#agent/inbound/listener.ts';
import { createDestinations } from '#agent/outbound/destination.ts';
import { openOutbound, type OutboundListener } from '#agent/outbound/listener.ts';
import { createProofReport } from '#agent/proof/proof-report.ts';
import { createPeerPool, type PeerPool } from '#agent/tunnel/peer-pool.ts';
import { defaultUpstreamLimits } from '#agent/tunnel/peer.ts';
import { appTimes, defaultLimits, defaultServerFirst, messageLimits } from '#agent/defaults.ts';
import { PolicyCompiler } from '#agent/policy/policy-compiler.ts';
import { tellDecision, type ToldDecision } from '#agent/policy/told-decision.ts';
import { PlaintextLedger } from '#agent/plaintext/plaintext-ledger.ts';
import type { LedgerReport } from '#agent/plaintext/ledger-report.ts';
import { createTokensOf } from '#agent/inbound/tokens-of.ts';
import type { TrustedKeys } from '#agent/tokens/issuer-keys.ts';
import { KnownKeys } from '#agent/tokens/known-keys.ts';
import { PortJudges } from '#agent/tokens/port-judges.ts';
import { RefusalBook } from '#agent/inbound/refusal-book.ts';
import { attachFrom } from '#agent/tokens/open-tokens.ts';
import { TokenSource, type Exchange, type TokenSourceParts } from '#agent/tokens/token-source.ts';
import { readPolicies } from '#policy/documents.ts';
import type { Clock } from '#runtime/clock.ts';
import { systemClock, systemRandom } from '#runtime/system-clock.ts';
import type { TestDomain } from './identities.ts';

const local = { host: '127.0.0.1', port: 0 };

/** The data path of one agent, in this process, with identities set by hand. */
export interface HalfAgent {
  readonly store: IdentityStore;
  readonly counters: AgentCounters;
  readonly events: AgentEvent[];
  /** Of its access log. */
  readonly lines: Readonly<Record<string, unknown>>[];
  readonly accessLog: AccessLog;
  rotate(lifeMs?: number): Promise<void>;
}

export interface ServingAgent extends HalfAgent {
  readonly inbound: InboundListener;
  /** Why a call was refused. */
  decision(id: string): ToldDecision | undefined;
  /** By which tokens are verified, as if its control part had told it. */
  useTokenKeys(keys: TrustedKeys): void;
  /** Who called in plaintext. */
  plaintextCallers(): LedgerReport;
  /** Puts these documents into force beside the ports' own lists, as if the control plane had pushed them. */
  push(yaml: string): void;
}

export interface CallingAgent extends HalfAgent {
  readonly tokens: TokenSource | undefined;
  readonly outbound: OutboundListener;
  readonly pool: PeerPool;
  /** Where the app finds its first upstream. */
  readonly upstream: Address;
}

interface LifeOptions {
  /** Of each certificate, from the moment that `clock` shows. */
  readonly lifeMs?: number;
  /** Real time where not given. */
  readonly clock?: Clock | undefined;
  readonly limits?: Partial<LimitsConfig> | undefined;
}

async function halfAgent(domain: TestDomain, workload: string, options: LifeOptions): Promise<HalfAgent> {
  const { lifeMs = 60_000, clock = systemClock } = options;
  const store = createIdentityStore();
  const rotate = async (life = lifeMs): Promise<void> =>
    void store.replace(await domain.identity(workload, life + clock.now() - Date.now()));
  await rotate();
  const lines: Record<string, unknown>[] = [];
  const accessLog = createAccessLog({
    ...{
      workload,
      spiffeId: () => domain.spiffeId(workload),
      sample: 1,
      failures: 'always',
      clock,
      random: systemRandom,
    },
    write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  return { store, counters: createCounters(), events: [], lines, accessLog, rotate };
}

function commonParts(agent: HalfAgent, { limits = {}, clock = systemClock }: LifeOptions) {
  const all = { ...defaultLimits, ...limits };
  return {
    counters: agent.counters,
    accessLog: agent.accessLog,
    emit: (event: AgentEvent) => void agent.events.push(event),
    clock,
    deadlines: createDeadlines(clock),
    limits: messageLimits(all),
    times: appTimes(all),
    serverFirst: new Set(defaultServerFirst),
    maxConnections: all.connections,
    inFlight: new Ceiling(all.requests),
    listen,
  };
}

export async function startServing(
  domain: TestDomain,
  workload: string,
  options: LifeOptions & { ports: readonly InboundPortConfig[]; whenExpired?: 'keep' | 'end' },
): Promise<ServingAgent> {
  const agent = await halfAgent(domain, workload, options);
  const compiler = new PolicyCompiler(options.ports);
  let policy = compiler.compileOwn({ workload, trustDomain: domain.bundle.trustDomain });
  const refusals = new RefusalBook();
  const common = commonParts(agent, options);
  const ledger = new PlaintextLedger({ ...common, modeChanges: 'told' });
  const known = new KnownKeys({ clock: common.clock, onWanted: () => undefined });
  const self = () => domain.spiffeId(workload);
  const whenExpired = options.whenExpired ?? 'keep';
  const judges = new PortJudges({ ...common, keys: known, self });
  const tokensOf = createTokensOf({ ...common, judges, whenExpired, onExpired: () => inbound.reconsider() });
  const inbound: InboundListener = await openInbound(
    {
      ...common,
      tokensOf,
      identity: agent.store,
      randomBytes,
      policy: () => policy,
      refusals,
      ledger,
      spoken: new Map(),
      answeringHttp: new Set(),
      ports: new Map(options.ports.map((port) => [port.port, port])),
      self,
      shares: new PeerShares({ requests: common.inFlight, streams: new Ceiling(common.maxConnections) }),
      whenExpired,
      worker: undefined,
    },
    { listen: local, advertise: undefined, ports: options.ports },
  );
  return {
    ...agent,
    inbound,
    useTokenKeys(keys) {
      if (known.use(keys) === 'less') inbound.reconsider();
    },
    plaintextCallers: () => ledger.report(policy.mtls.document),
    decision: (id) => tellDecision(id, refusals, compiler),
    push(yaml) {
      const read = readPolicies(yaml, 'test.yaml');
      if (!read.ok) throw new Error(JSON.stringify(read.reason));
      const documents = read.value.map(({ raw }) => raw);
      const ports = new Map(options.ports.map(({ port, protocol }) => [port, protocol]));
      const { trustDomain } = domain.bundle;
      const facts = { trustDomain, namespace: 'default', name: workload, labels: { app: workload }, ports };
      const compiled = compiler.compile({ documents, workload: facts });
      if (compiled.policy === undefined) throw new Error(compiled.problem);
      ({ policy } = compiled);
      inbound.reconsider();
    },
  };
}

export interface CallerOptions extends LifeOptions {
  /** Issuers of tokens by name; `''` is the control plane. Undefined: nothing is attached. */
  readonly issuers?: Readonly<Record<string, Exchange>> | undefined;
  readonly upstreams: readonly UpstreamConfig[];
  readonly whenExpired?: 'keep' | 'end';
}

/** An agent with ways to its upstreams, and nobody yet who may use them. */
export async function createCaller(domain: TestDomain, workload: string, options: CallerOptions) {
  const agent = await halfAgent(domain, workload, options);
  const common = commonParts(agent, options);
  const tokens = options.issuers && tokensFrom(options.issuers, agent.store, common);
  const parts = { ...common, attach: tokens && attachFrom(tokens.cache, common.clock) };
  const pool = createPeerPool({
    ...parts,
    identity: agent.store,
    random: systemRandom,
    randomBytes,
    whenExpired: options.whenExpired ?? 'keep',
    limits: { ...defaultUpstreamLimits, tryMs: 2_000, overallMs: 5_000 },
    http: parts,
    report: createProofReport(parts, 'dialled'),
    onSession: () => undefined,
  });
  const rotate = async (life = options.lifeMs ?? 60_000): Promise<void> => {
    const next = await domain.identity(workload, life + common.clock.now() - Date.now());
    await tokens?.prepare(next, 5_000);
    agent.store.replace(next);
  };
  const destinations = createDestinations(options.upstreams);
  return { agent: { ...agent, rotate, tokens }, parts: { ...parts, pool, destinations } };
}

function tokensFrom(
  issuers: Readonly<Record<string, Exchange>>,
  store: IdentityStore,
  common: Pick<TokenSourceParts, 'clock' | 'emit'>,
): TokenSource {
  const signal = new AbortController().signal;
  const exchangeAt = (issuer: string | undefined): Exchange => issuers[issuer ?? '']!;
  return new TokenSource({ ...common, store, exchangeAt, random: systemRandom, signal });
}

export async function startCalling(
  domain: TestDomain,
  workload: string,
  options: CallerOptions & { capture?: 'upstream' | 'http-proxy'; unknown?: 'refuse' | 'passthrough' },
): Promise<CallingAgent> {
  const { agent, parts } = await createCaller(domain, workload, options);
  const { pool } = parts;
  const outbound = await openOutbound(parts, {
    upstreams: options.upstreams,
    httpProxy: options.capture === 'http-proxy' ? { listen: local } : undefined,
    unknown: options.unknown ?? 'refuse',
  });
  return { ...agent, outbound, pool, upstream: outbound.upstreams[0]?.address ?? local };
}
