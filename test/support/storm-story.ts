import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMicroseconds } from '#bench/proc.ts';
import { storeFile } from '#control-plane/data-dir.ts';
import type { PolicyClient } from '#proto/policy-admin.ts';
import { readAudit } from './audit-of.ts';
import { keepEchoing, openStream, streamKinds, untilAdmitted, type KeptStreams } from './held-stream.ts';
import { spreadOf, type Spread } from './percentiles.ts';
import { adminCall, type PolicyFleet } from './policy-fleet.ts';
import { figuresOf, type ProcessFigures } from './process-figures.ts';
import { seededRandom } from './seeded-random.ts';
import { fixedChanges, stormChanges, type StormChange } from './storm-changes.ts';
import { askEach, runStormLoad, type ReachableCall, type StormLoad } from './storm-load.ts';
import { createStormModel, judgeAnswers, judgeLives, type AppliedChange } from './storm-model.ts';
import { openStormStage, type StormStage } from './storm-stage.ts';

export interface StormStory {
  /** A storm before the one that is judged, so that memory can be compared; 0: none. */
  readonly warmUpMs: number;
  readonly forMs: number;
  readonly changesPerSecond: number;
  readonly requestsPerSecond: number;
  /** Kinds of calls of each caller to each workload. */
  readonly calls: number;
}

export interface StormFigures {
  /** Changes that the control plane took, and how long each took it. */
  readonly changes: number;
  /** Of the mesh, at the end. */
  readonly revision: number;
  readonly perSecond: number;
  readonly apply: Spread;
  /** Of the control plane, during the storm: 1 is one core. */
  readonly cores: number;
  /** Per change. */
  readonly storeBytes: number;
  /** In the audit log, when it is unbroken: one for each revision. */
  readonly auditedChanges: number;
  /** Revisions that came into force, by agent that is called. */
  readonly applied: Readonly<Record<string, number>>;
  readonly requests: number;
  /** Those with one right answer only. */
  readonly strictAllowed: number;
  readonly strictRefused: number;
  readonly stale: Spread;
  /** Opaque streams that were opened, and those of them that rules have cut. */
  readonly streams: number;
  readonly cut: number;
  /** Of `steady`, which is always allowed. */
  readonly kept: { readonly streams: number; readonly echoes: number; readonly broken: readonly string[] };
  /** From the last change until every agent has it. */
  readonly convergedMs: number;
  /** Must all be empty. */
  readonly failures: readonly string[];
  readonly wrong: readonly string[];
  readonly wrongStreams: readonly string[];
  readonly wrongAtLast: readonly string[];
  /** Idle, before and after. */
  readonly memory: Readonly<Record<string, { readonly before: ProcessFigures; readonly after: ProcessFigures }>>;
}

/** How old the rules may be that a call is judged by. */
export const boundMs = 1_000;
const names = 14;
/** An agent that has been idle for 10 s collects its garbage, and looks every 10 s whether it is idle. */
const collectedMs = 23_000;

export async function stormStory(story: StormStory): Promise<StormFigures> {
  await using stage = await openStormStage();
  const { fleet } = stage;
  const calls = await stage.calls(story.calls);
  const storm = createStorm(fleet.policies);
  for (const change of fixedChanges) await storm.apply(change);
  await fleet.untilCurrent(10_000);
  await untilAdmitted(stage.steady);
  if (story.warmUpMs > 0) await blow({ stage, storm, calls, story, forMs: story.warmUpMs });
  const before = await restingFigures(fleet, story);
  const storeBefore = storeBytes(fleet);
  const changesBefore = storm.applied.length;
  const { load, tookMs, cores, convergedMs, kept, echoes } = await blow({
    stage,
    storm,
    calls,
    story,
    forMs: story.forMs,
  });
  const changes = storm.applied.slice(changesBefore);
  const last = await askEach(calls);
  const after = await restingFigures(fleet, story);
  const storeGrown = storeBytes(fleet) - storeBefore;
  await fleet.controlPlane.stop();
  const { chain, entries } = readAudit(fleet.controlPlane.dataDir);
  const model = createStormModel(storm.applied, calls);
  const { wrong, strictAllowed, strictRefused, staleMs } = judgeAnswers(model, load.answers, boundMs);
  const wrongAtLast = last.answers.filter(({ call, isAllowed }) => isAllowed !== model.isAllowedAtLast(call));
  return {
    changes: changes.length,
    revision: model.lastRevision,
    perSecond: Math.round((changes.length / tookMs) * 10_000) / 10,
    apply: spreadOf(changes.map(({ sentMs, answeredMs }) => answeredMs - sentMs)),
    cores: Math.round(cores * 100) / 100,
    storeBytes: Math.round(storeGrown / changes.length),
    auditedChanges: chain.ok ? entries.filter(({ kind }) => kind === 'policy-changed').length : 0,
    applied: Object.fromEntries(stage.callees.map(({ name }) => [name, appliedBy(fleet, name)])),
    requests: load.answers.length,
    strictAllowed,
    strictRefused,
    stale: spreadOf(staleMs),
    streams: load.lives.length,
    cut: load.lives.filter(({ isCut }) => isCut).length,
    kept: { streams: stage.steady.length * streamKinds.length, echoes, broken: kept },
    convergedMs,
    failures: [...storm.failures, ...load.failures, ...last.failures].slice(0, 10),
    wrong: wrong.slice(0, 10),
    wrongStreams: judgeLives(model, load.lives, boundMs).slice(0, 10),
    wrongAtLast: wrongAtLast.map(({ call }) => `call ${call}`),
    memory: Object.fromEntries(
      [...before].map(([name, figures]) => [name, { before: figures, after: after.get(name)! }]),
    ),
  };
}

interface Storm {
  readonly applied: AppliedChange[];
  readonly failures: string[];
  readonly changes: Iterator<StormChange, unknown>;
  /** Sends one change, as the command line would, and notes what became of it. */
  apply(change: StormChange): Promise<void>;
}

function createStorm(policies: PolicyClient): Storm {
  const applied: AppliedChange[] = [];
  const failures: string[] = [];
  const random = seededRandom(5);
  return {
    applied,
    failures,
    changes: stormChanges({ seed: 100, names, random }),
    async apply(change) {
      const sentMs = performance.now();
      const revision = await sendChange(policies, change).catch((error: unknown) => String(error));
      if (typeof revision === 'string') failures.push(`change: ${revision}`);
      else if (revision !== undefined) applied.push({ revision, sentMs, answeredMs: performance.now(), change });
    },
  };
}

/** The revision that it became; undefined: everything was as it says; a text: it was refused. */
async function sendChange(policies: PolicyClient, change: StormChange): Promise<number | string | undefined> {
  if (change.kind === 'delete') {
    const deleted = await policies.delete(change.ref, adminCall);
    if (!deleted.ok) return deleted.reason.reason;
    const { problem, revision } = deleted.value;
    if (problem.startsWith('there is no ')) return undefined; // it overtook the change that makes it
    return problem === '' ? revision : problem;
  }
  const reply = await policies.apply([{ name: 'storm.yaml', text: change.text }], adminCall);
  if (!reply.ok) return reply.reason.reason;
  const { problems, changes, revision } = reply.value;
  if (problems.length > 0) return JSON.stringify(problems);
  return changes[0]?.outcome === 'unchanged' ? undefined : revision;
}

interface Blow {
  readonly stage: StormStage;
  readonly storm: Storm;
  readonly calls: readonly ReachableCall[];
  readonly story: StormStory;
  readonly forMs: number;
}

interface Blown {
  readonly load: StormLoad;
  readonly tookMs: number;
  readonly cores: number;
  readonly convergedMs: number;
  readonly echoes: number;
  readonly kept: readonly string[];
}

/** One storm under load, and the calm in which everybody catches up. */
async function blow({ stage, storm, calls, story, forMs }: Blow): Promise<Blown> {
  const { pid } = stage.fleet.controlPlane;
  const load = runStormLoad(calls, { perSecond: story.requestsPerSecond, random: seededRandom(7) });
  const kept = await keepSteady(stage);
  const cpuBefore = cpuMicroseconds(pid);
  const startedMs = performance.now();
  const sent: Promise<void>[] = [];
  while (performance.now() - startedMs < forMs) {
    const due = ((performance.now() - startedMs) * story.changesPerSecond) / 1000;
    while (sent.length < due) sent.push(storm.apply(storm.changes.next().value as StormChange));
    await sleep(2);
  }
  await Promise.all(sent);
  const endedMs = performance.now();
  const tookMs = endedMs - startedMs;
  const cores = (cpuMicroseconds(pid) - cpuBefore) / 1000 / tookMs;
  const { revision } = await stage.fleet.untilCurrent(10_000);
  const convergedMs = Math.round(performance.now() - endedMs);
  if (revision !== storm.applied.length)
    storm.failures.push(`${storm.applied.length} changes made revision ${revision}`);
  const echoes = kept.echoes();
  return { load: await load.stop(), tookMs, cores, convergedMs, echoes, kept: await kept.stop() };
}

async function keepSteady({ steady }: StormStage): Promise<KeptStreams> {
  const opened = steady.flatMap((ports) =>
    streamKinds.map(async (kind) => ({ name: `${kind} of steady`, stream: await openStream(kind, ports) })),
  );
  return keepEchoing(await Promise.all(opened), 100);
}

function appliedBy({ agents }: PolicyFleet, name: string): number {
  return agents.get(name)!.events.filter(({ event }) => event === 'policies.applied').length;
}

function storeBytes({ controlPlane: { dataDir } }: PolicyFleet): number {
  return statSync(join(dataDir, storeFile)).size;
}

/** Of the control plane and every agent, once they are idle; without a warm-up there is nothing to compare. */
async function restingFigures(
  { controlPlane, agents }: PolicyFleet,
  { warmUpMs }: StormStory,
): Promise<ReadonlyMap<string, ProcessFigures>> {
  if (warmUpMs === 0) return new Map();
  await sleep(collectedMs);
  const pids = [['control-plane', controlPlane.pid], ...[...agents].map(([name, { pid }]) => [name, pid])] as const;
  return new Map(pids.map(([name, pid]) => [String(name), figuresOf(Number(pid))]));
}
