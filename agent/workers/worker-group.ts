import type { Readiness } from '#agent/admin/readiness.ts';
import { sumCounters } from '#agent/admin/sum-counters.ts';
import type { DataPath, DataReport, OpenListener, Side } from '#agent/data-path.ts';
import { giveBackWhenIdle } from '#agent/give-back.ts';
import type { DataPathParts } from '#agent/local-data-path.ts';
import type { KnownWorkload } from '#agent/outbound/destination.ts';
import { sumReports, type LedgerReport } from '#agent/plaintext/ledger-report.ts';
import { PolicyCompiler, type PolicyOutcome, type PushedPolicies } from '#agent/policy/policy-compiler.ts';
import type { ToldDecision } from '#agent/policy/told-decision.ts';
import type { TrustedKeys } from '#agent/tokens/issuer-keys.ts';
import type { AskToken } from '#agent/tokens/kept-token.ts';
import type { TokenCache } from '#agent/tokens/token-cache.ts';
import type { Clock } from '#runtime/clock.ts';
import { Fault } from '#runtime/fault.ts';
import { refuse } from '#runtime/result.ts';
import { Heartbeat, type Standing } from './heartbeat.ts';
import { toIdentityMessage } from './identity-message.ts';
import { LastReport } from './last-report.ts';
import { shareOf } from './share-of.ts';
import type { CallName, WorkerCalls } from './worker-calls.ts';
import { WorkerLink } from './worker-link.ts';
import type { StartThread } from './worker-thread.ts';

export interface WorkerGroupParts extends Omit<DataPathParts, 'random' | 'worker'> {
  readonly readiness: Readiness;
  readonly startThread: StartThread;
}

interface Member {
  readonly link: WorkerLink;
  readonly heartbeat: Heartbeat;
  readonly report: LastReport;
}

/** A worker that takes longer to tell what it saw is not waited for. */
const silentMs = 2_000;
/** How long a worker's question for a token waits for an issuer. */
const workersTokenMs = 5_000;
/** How long a worker may take to end in order. */
const endMs = 500;

/**
 * The data part of an agent in `config.workers` threads. They are all alike and listen at the same addresses; this thread
 * tells them what they must know and asks what they did. One that ends takes the agent with it: half of the callers
 * would wait for nobody.
 */
export class WorkerGroup implements DataPath {
  readonly failed: Promise<never>;
  readonly #parts: WorkerGroupParts;
  /** Judges what is pushed before the workers get it. */
  readonly #compiler: PolicyCompiler;
  readonly #members: readonly Member[];
  readonly #unsubscribe: () => void;
  readonly #ended = new AbortController();
  readonly #fail: (fault: unknown) => void;
  #generation = 0;

  constructor(parts: WorkerGroupParts) {
    this.#parts = parts;
    this.#compiler = new PolicyCompiler(parts.config.inbound?.ports ?? []);
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined); // whoever needs it waits for it
    this.failed = promise;
    this.#fail = reject;
    const config = shareOf(parts.config);
    const askToken = tokenGiver(parts.tokens);
    this.#members = Array.from({ length: config.workers }, (_, index) => {
      const link = new WorkerLink(index + 1, { ...parts, config, askToken, onEnded: this.#fail });
      return this.#member(link);
    });
    this.#unsubscribe = parts.store.subscribe(() => this.#handOnIdentity());
    this.#handOnIdentity();
  }

  async open(side: Side): Promise<readonly OpenListener[]> {
    const [first, ...others] = this.#members;
    const { listeners, addresses } = await first!.link.call('open', { side, addresses: undefined });
    await Promise.all(others.map(({ link }) => link.call('open', { side, addresses })));
    if (side === 'inbound') giveBackWhenIdle({ ...this.#parts, activity: () => this.#generation }, this.#ended.signal);
    return listeners;
  }

  useWorkloads(workloads: readonly KnownWorkload[]): void {
    this.#tell('workloads', workloads);
  }

  usePolicies(pushed: PushedPolicies): PolicyOutcome {
    const { policy, problem } = this.#compiler.compile(pushed);
    if (policy !== undefined) this.#tell('policies', pushed);
    return { isInForce: policy !== undefined, problem };
  }

  useTokenKeys(keys: TrustedKeys): void {
    this.#tell('tokenKeys', keys);
  }

  async decision(id: string): Promise<ToldDecision | undefined> {
    const told = await Promise.all(this.#members.map(({ link }) => link.call('decision', id).catch(() => undefined)));
    return told.find((each) => each !== undefined);
  }

  /** Rejects where a worker does not answer: what it saw must not be missing from what is told. */
  async plaintextCallers(): Promise<LedgerReport> {
    const asked = this.#members.map(({ link }) => link.call('plaintextCallers', undefined));
    return sumReports(await within(Promise.all(asked), this.#parts.clock));
  }

  async report(): Promise<DataReport> {
    const reports = await Promise.all(this.#members.map(({ report }) => report.read()));
    const sum = (side: Side): number => reports.reduce((all, { connections }) => all + connections[side], 0);
    return {
      counters: sumCounters(reports.map(({ counters }) => counters)),
      connections: { outbound: sum('outbound'), inbound: sum('inbound') },
      workers: reports.map(({ state, connections, counters: { requests, streams, inboundRequests } }, index) => ({
        worker: index + 1,
        ...{ state, requests, streams, inboundRequests, connections },
      })),
    };
  }

  drain(side: Side): void {
    this.#tell('drain', side);
  }

  async end(): Promise<void> {
    this.#unsubscribe();
    this.#ended.abort();
    await Promise.all(
      this.#members.map(async ({ link, heartbeat }) => {
        heartbeat.stop();
        await endInOrder(link, this.#parts.clock);
        await link.terminate();
      }),
    );
  }

  #member(link: WorkerLink): Member {
    const { clock } = this.#parts;
    const ping = (): Promise<undefined> => link.call('ping', undefined);
    const onStanding = (standing: Standing): void => this.#stands(link, standing);
    const report = new LastReport(() => link.call('report', undefined), clock);
    return { link, heartbeat: new Heartbeat({ clock, ping, onStanding }), report };
  }

  #handOnIdentity(): void {
    const snapshot = this.#parts.store.current();
    if (snapshot === undefined) return;
    this.#generation = snapshot.generation;
    this.#tell('identity', toIdentityMessage(snapshot, this.#parts.clock.now()));
  }

  #tell<Name extends CallName>(call: Name, argument: WorkerCalls[Name]['argument']): void {
    for (const { link } of this.#members) link.call(call, argument).catch(this.#fail);
  }

  #stands({ worker }: WorkerLink, standing: Standing): void {
    const { emit, readiness } = this.#parts;
    if (standing === 'lost') return this.#fail(new Fault('WORKER_SILENT', `worker ${worker} does not answer any more`));
    emit({ event: standing === 'silent' ? 'worker.silent' : 'worker.answers', worker });
    const silent = this.#members.filter(({ heartbeat }) => heartbeat.standing === 'silent');
    if (silent.length === 0) return readiness.clear('worker-silent');
    const which = silent.map(({ link }) => link.worker).join(', ');
    readiness.block('worker-silent', `no answer from worker ${which} of ${this.#members.length}`);
  }
}

/** All workers get the tokens of this thread, so that issuers are asked once, however many they are (S20). */
function tokenGiver(tokens: TokenCache | undefined): AskToken {
  return async (thumbprint, wish) => {
    const given = await tokens?.renewed(thumbprint, wish, workersTokenMs);
    if (given?.ok) return given;
    return refuse({ problem: given?.reason ?? 'no-token', detail: 'told by the main thread' });
  };
}

async function within<T>(answered: Promise<T>, clock: Clock): Promise<T> {
  const late = new AbortController();
  const silent = clock.sleep(silentMs, late.signal).then(() => {
    throw new Fault('WORKER_SILENT', 'a worker does not answer');
  });
  try {
    return await Promise.race([answered, silent]);
  } finally {
    silent.catch(() => undefined);
    answered.catch(() => undefined);
    late.abort();
  }
}

async function endInOrder(link: WorkerLink, clock: Clock): Promise<void> {
  const late = new AbortController();
  const ended = link.call('end', undefined).catch(() => undefined); // it is over already
  const deadline = clock.sleep(endMs, late.signal).catch(() => undefined);
  await Promise.race([ended, deadline]);
  late.abort();
}
