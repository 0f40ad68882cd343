import type { Workload } from '#proto/messages.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { aborted, type Phases } from '#runtime/drain.ts';
import { createReadiness, type Readiness } from './admin/readiness.ts';
import { startAdmin } from './admin/server.ts';
import { toldCallers } from './admin/told-callers.ts';
import type { Address, AgentConfig } from './config-types.ts';
import type { DataPath, OpenListener, Side } from './data-path.ts';
import { drainAll } from './drain-all.ts';
import type { AgentEmit } from './events.ts';
import type { IdentitySource } from './identity/source.ts';
import { PlaintextCallers } from './plaintext/plaintext-callers.ts';
import { openAgentPolicies } from './policy/agent-policies.ts';
import type { OnPolicies } from './policy/policy-book.ts';
import { workloadFacts } from './policy/workload-facts.ts';
import { TokenIssuers } from './tokens/token-issuers.ts';
import type { PrepareIdentity } from './identity/prepare-next.ts';
import { controlPlaneExchange } from './tokens/control-plane-exchange.ts';
import { getFirstTokens, openTokens } from './tokens/open-tokens.ts';
import type { Exchange, TokenSource } from './tokens/token-source.ts';
import type { WorkerGroupParts } from './workers/worker-group.ts';
import { createIdentityStore, type IdentitySnapshot, type IdentityStore } from './identity/store.ts';

export interface AgentParts {
  readonly config: AgentConfig;
  readonly version: string;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: AgentEmit;
  /** Collects this thread's garbage; undefined where the runtime cannot be told to. */
  readonly collect: (() => void) | undefined;
  /** Called once, when the agent is ready. */
  readonly onReady: () => void;
}

/** What the control part's own parts share. */
interface Core extends AgentParts {
  readonly store: IdentityStore;
  readonly readiness: Readiness;
  /** Undefined where no route attaches one. */
  readonly tokens: TokenSource | undefined;
  /** The control plane as an issuer of tokens, as soon as there is a way to it. */
  readonly issuer: { controlPlane: Exchange | undefined };
  readonly dataPath: DataPath;
  readonly tokenIssuers: TokenIssuers;
  /** The first policies are in force, kept ones or pushed ones. */
  readonly policiesCame: PromiseWithResolvers<void>;
}

/** How long inbound waits for the first policies. */
const policiesWaitMs = 5_000;

interface Source extends IdentitySource {
  announce(endpoints: readonly Address[]): void;
}

/**
 * Runs one agent: identity first, then inbound; outbound from the start, so that an app that is early gets a clear 503.
 * This is its control part: identity, admin, readiness and drain; the data part carries the traffic, here or in workers.
 * Throws `Fault` when it cannot start, can never get an identity, or loses a worker.
 */
export async function runAgent(parts: AgentParts, phases: Phases): Promise<void> {
  const startedMs = parts.clock.monotonic();
  const store = createIdentityStore();
  const readiness = createReadiness(store, parts.clock);
  const ended = new AbortController();
  const issuer: Core['issuer'] = { controlPlane: undefined };
  const tokens = openTokens(parts.config, {
    ...{ ...parts, store, signal: ended.signal },
    controlPlane: () => issuer.controlPlane,
  });
  const onKeysWanted = (wanted: string): void => tokenIssuers.wanted(wanted);
  const dataPath = await startDataPath({ ...parts, store, readiness, onKeysWanted, tokens: tokens?.cache });
  const tokenIssuers = new TokenIssuers({
    ...parts,
    issuers: parts.config.tokenIssuers,
    trustDomain: parts.config.trustDomain,
    onKeys: (keys) => dataPath.useTokenKeys(keys),
  });
  const policiesCame = Promise.withResolvers<void>();
  const core: Core = { ...parts, store, readiness, tokens, issuer, dataPath, tokenIssuers, policiesCame };
  try {
    await control({ ...core, startedMs }, phases);
  } finally {
    ended.abort();
    await dataPath.end();
  }
}

/** One thread is this one, and then nothing of workers is even loaded; and the other way round. */
async function startDataPath(parts: Omit<WorkerGroupParts, 'startThread'> & AgentParts): Promise<DataPath> {
  if (parts.config.workers === 1)
    return (await import('./local-data-path.ts')).createLocalDataPath({ ...parts, worker: undefined });
  const [{ WorkerGroup }, { startThread }] = await Promise.all([
    import('./workers/worker-group.ts'),
    import('./workers/worker-thread.ts'),
  ]);
  return new WorkerGroup({ ...parts, startThread });
}

interface Running extends Core {
  readonly startedMs: number;
}

async function control(core: Running, phases: Phases): Promise<void> {
  const { config, store, readiness, dataPath } = core;
  const ended = new AbortController();
  const source = await createSource(core);
  const callers = createPlaintextCallers(core);
  await callers.load();
  const drain = new AbortController();
  const stop = AbortSignal.any([phases.stop, drain.signal]);
  const admin = await startAdmin({
    config,
    readiness: () => readiness.report(),
    facts: async () => ({
      workload: config.workload,
      identity: store.current(),
      source: source.status(),
      readiness: readiness.report(),
      tokens: core.tokens?.facts(),
      ...(await dataPath.report()),
    }),
    decision: (id) => dataPath.decision(id),
    plaintextCallers: async () =>
      toldCallers(await callers.report(), {
        config,
        spiffeId: store.current()?.svid.spiffeId,
        nowMs: core.clock.now(),
      }),
    drain: () => drain.abort(),
    renew: () => source.renewNow(),
  });
  if (admin.address) tellOpen(core, [{ purpose: 'admin', address: admin.address }]);
  const identityLost = source.run(AbortSignal.any([ended.signal, phases.kill]));
  identityLost.catch(() => undefined); // raced below; a rejection while stopping is no fault
  const keeping = callers.run(ended.signal);
  const keys = core.tokenIssuers.run(ended.signal);
  keys.catch(() => undefined);
  const serving = serve(core, source, { stop, kill: phases.kill });
  try {
    await Promise.race([serving, identityLost, dataPath.failed]);
  } catch (error) {
    if (!phases.kill.aborted) throw error;
  } finally {
    ended.abort();
    await Promise.allSettled([identityLost, keeping, keys, admin.close()]);
  }
}

async function createSource(core: Core): Promise<Source> {
  const { config, dataPath, tokens } = core;
  const { identity } = config;
  const prepare: PrepareIdentity | undefined = tokens && ((next, ms) => tokens.prepare(next, ms));
  if (identity.kind === 'files') {
    const { FileIdentity } = await import('./identity/file-identity.ts');
    const files = new FileIdentity({ ...core, prepare, config: identity });
    return {
      run: (signal) => files.run(signal),
      renewNow: () => files.renewNow(),
      status: () => files.status(),
      announce: () => undefined,
    };
  }
  const { createControlPlaneIdentity } = await import('./identity/control-plane-identity.ts');
  const { workload } = config;
  const source = await createControlPlaneIdentity({
    ...core,
    prepare,
    config: identity,
    workload,
    trustDomain: config.trustDomain,
    agentVersion: core.version,
    upstreams: namesToWatch(config),
    ports: (config.inbound?.ports ?? []).map(({ port, protocol }) => ({ port, protocol })),
    onWorkloads: (workloads: readonly Workload[]) => dataPath.useWorkloads(workloads),
    onTokenKeys: (issuers) => core.tokenIssuers.takePushed(issuers),
    openPolicies: () =>
      openAgentPolicies({ ...core, workload, stateDir: identity.stateDir, onChange: putIntoForce(core) }),
  });
  core.issuer.controlPlane = controlPlaneExchange(source.exchangeToken);
  return source;
}

function createPlaintextCallers({ config, dataPath, clock, emit }: Core): PlaintextCallers {
  const { identity, workload, inbound } = config;
  const isObserving = inbound?.ports.some(({ listen }) => listen !== undefined) === true;
  const dir = isObserving && identity.kind === 'control-plane' ? identity.stateDir : undefined;
  return new PlaintextCallers({ dir, workload, clock, emit, observed: () => dataPath.plaintextCallers() });
}

function putIntoForce({ config, store, dataPath, policiesCame }: Core): OnPolicies {
  return (documents) => {
    const svid = store.current()?.svid;
    if (svid === undefined) return { isInForce: false, problem: 'no-identity' };
    policiesCame.resolve();
    return dataPath.usePolicies({ documents, workload: workloadFacts(config, svid.spiffeId) });
  };
}

/** Upstreams whose whereabouts the control plane must tell. */
function namesToWatch(config: AgentConfig): string[] {
  const upstreams = config.outbound?.upstreams ?? [];
  return [...new Set(upstreams.filter((u) => !u.spiffeId || !u.endpoints).map((u) => u.workload))];
}

async function serve(core: Running, source: Source, { stop, kill }: Phases): Promise<void> {
  const { config, clock, readiness, emit, dataPath } = core;
  readiness.block('starting', 'waiting for the first SVID');
  await open(core, 'outbound'); // from the start: an app that is early gets a clear 503
  const first = await core.store.first(AbortSignal.any([stop, kill])).catch(() => undefined);
  if (first) {
    await becomeReady(core, source, first);
    await aborted(AbortSignal.any([stop, kill]));
  }
  readiness.block('draining', 'the agent was told to stop');
  emit({ event: 'agent.draining', drainMs: config.drainMs });
  source.announce([]);
  await drainAll({ clock, dataPath, outbound: config.outbound ? 'open' : 'none' }, kill);
}

/** With the first identity: inbound opens, peers are told where, and the agent says that it is ready. */
async function becomeReady(core: Running, source: Source, { svid }: IdentitySnapshot): Promise<void> {
  const { config, clock, readiness, emit, startedMs } = core;
  // A DENY that is missing opens a door; a control plane that says nothing must not keep it shut for ever.
  if (config.identity.kind === 'control-plane' && config.inbound !== undefined) {
    const waited = new AbortController();
    await Promise.race([core.policiesCame.promise, clock.sleep(policiesWaitMs, waited.signal).catch(() => undefined)]);
    waited.abort();
  }
  if (core.tokens !== undefined) {
    await getFirstTokens(config, svid.thumbprint, { tokens: core.tokens.cache, readiness: core.readiness });
  }
  const opened = await open(core, 'inbound');
  const inbound = opened.find(({ purpose }) => purpose === 'inbound');
  source.announce(inbound ? [config.inbound?.advertise ?? inbound.address] : []);
  readiness.clear('starting');
  emit({ event: 'agent.ready', spiffeId: svid.spiffeId, startMs: Math.round(clock.monotonic() - startedMs) });
  core.onReady();
}

async function open(core: Core, side: Side): Promise<readonly OpenListener[]> {
  const opened = await core.dataPath.open(side);
  tellOpen(core, opened);
  return opened;
}

function tellOpen({ emit }: Core, opened: readonly OpenListener[]): void {
  for (const { purpose, address } of opened) emit({ event: 'listener.open', purpose, address: show(address) });
}

function show({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
