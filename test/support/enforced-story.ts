import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMicroseconds, watchOthers } from '#bench/proc.ts';
import { freshFolder, checkout } from './fresh-folder.ts';
import {
  keepEchoing,
  openStream,
  streamKinds,
  type HeldStream,
  type StreamKind,
  type StreamPorts,
} from './held-stream.ts';
import { openEnforcedStage, type Callee, type EnforcedStage } from './enforced-stage.ts';
import type { PolicyFleet } from './policy-fleet.ts';
import { spreadOf, type Spread } from './percentiles.ts';
import { runProgram } from './programs.ts';

export interface EnforcedStory {
  /** Workloads with an agent of their own, each behind `cart` and `web`, which have one too. */
  readonly agents: number;
  /** `policy apply` twice in each: cart is shut out of every workload, and let in again. */
  readonly rounds: number;
  /** Rounds before, which are not counted: what an agent does for the first time V8 compiles, in every agent at once. */
  readonly warmUp: number;
  /** Documents about others that stand beside. */
  readonly documents: number;
}

/** From the start of the command, and from its end: a negative figure is an agent that was faster than that. */
interface Delay {
  readonly fromStart: Spread;
  readonly fromReturn: Spread;
}

export interface EnforcedFigures {
  readonly command: Spread;
  /** Per agent: all three streams of cart are over and one further request is refused. */
  readonly revoked: Delay;
  /** Per agent: it says so, and one further request of cart is answered by the app. */
  readonly allowed: Delay;
  /** Of the streams that lost their permission, from the command's return. */
  readonly ended: Readonly<Record<StreamKind, Spread>>;
  /** From the command's return until `policy status` names nobody. */
  readonly acknowledged: Spread;
  /** Of web, which kept its permission. */
  readonly kept: { readonly streams: number; readonly echoes: number; readonly broken: readonly string[] };
  /** CPU time of one process per apply, in milliseconds; and what others used of the machine meanwhile, 0 to 1. */
  readonly cpu: Readonly<Record<'agent' | 'caller' | 'controlPlane' | 'others', number>>;
  /** Answers that nobody could expect: must be empty. */
  readonly wrong: readonly string[];
}

const webEchoesEveryMs = 500;
const enoughMs = 15_000;

export async function enforcedStory({ agents, rounds, warmUp, documents }: EnforcedStory): Promise<EnforcedFigures> {
  await using stage = await openEnforcedStage(agents, documents);
  await using folder = freshFolder();
  const web = await Promise.all(
    stage.callees.flatMap(({ name, web: ports }) =>
      streamKinds.map(async (kind) => ({ name: `${kind} of web to ${name}`, stream: await openStream(kind, ports) })),
    ),
  );
  const kept = keepEchoing(web, webEchoesEveryMs);
  let times = newTimes();
  let cpu = watchCpu(stage);
  let { revision } = stage;
  for (let round = -warmUp; round < rounds; round += 1) {
    if (round === 0) {
      times = { ...newTimes(), wrong: times.wrong };
      cpu = watchCpu(stage);
    }
    const streams = await openCartStreams(stage);
    const shut = applyShut(stage, folder.path, { caller: 'cart', revision: (revision += 1) });
    await Promise.all([...stage.callees.map((callee) => seeRevoked(callee, streams, { shut, times })), shut.returned]);
    times.acknowledged.push(await acknowledged(stage, shut));
    const open = applyShut(stage, folder.path, { caller: `nobody-${round + warmUp}`, revision: (revision += 1) });
    await Promise.all([
      ...stage.callees.map((callee) => seeAllowed(callee, { fleet: stage.fleet, open, times })),
      open.returned,
    ]);
    times.acknowledged.push(await acknowledged(stage, open));
    times.commands.push(...[await shut.returned, await open.returned].map(({ tookMs }) => tookMs));
  }
  const echoes = kept.echoes();
  const used = cpu(rounds * 2);
  return {
    ...figuresOf(times),
    kept: { streams: web.length, echoes, broken: await kept.stop() },
    cpu: used,
    wrong: times.wrong,
  };
}

function watchCpu({ fleet, callees }: EnforcedStage): (applies: number) => EnforcedFigures['cpu'] {
  const others = watchOthers();
  const pidsOf = (names: readonly string[]): number[] => names.map((name) => fleet.agents.get(name)!.pid);
  const pids = {
    agent: pidsOf(callees.map(({ name }) => name)),
    caller: pidsOf(['cart', 'web']),
    controlPlane: [fleet.controlPlane.pid],
  };
  const used = (of: keyof typeof pids): number =>
    pids[of].reduce((sum, pid) => sum + cpuMicroseconds(pid) / 1000, 0) / pids[of].length;
  const before = { agent: used('agent'), caller: used('caller'), controlPlane: used('controlPlane') };
  return (applies) => {
    const each = (of: keyof typeof pids): number => Math.round(((used(of) - before[of]) / applies) * 10) / 10;
    return {
      ...{ agent: each('agent'), caller: each('caller'), controlPlane: each('controlPlane') },
      others: Math.round(others() * 100) / 100,
    };
  };
}

interface Sample {
  readonly fromStart: number;
  readonly fromReturn: number;
}

interface Times {
  readonly commands: number[];
  readonly revoked: Sample[];
  readonly allowed: Sample[];
  readonly ended: Record<StreamKind, number[]>;
  readonly acknowledged: number[];
  readonly wrong: string[];
}

const newTimes = (): Times => ({
  ...{ commands: [], revoked: [], allowed: [], ended: { webSocket: [], grpc: [], tcp: [] } },
  ...{ acknowledged: [], wrong: [] },
});

function figuresOf({ commands, revoked, allowed, ended, acknowledged: seen }: Times) {
  const delay = (samples: readonly Sample[]): Delay => ({
    fromStart: spreadOf(samples.map(({ fromStart }) => fromStart)),
    fromReturn: spreadOf(samples.map(({ fromReturn }) => fromReturn)),
  });
  const { webSocket, grpc, tcp } = ended;
  return {
    command: spreadOf(commands),
    revoked: delay(revoked),
    allowed: delay(allowed),
    ended: { webSocket: spreadOf(webSocket), grpc: spreadOf(grpc), tcp: spreadOf(tcp) },
    acknowledged: spreadOf(seen),
  };
}

/** One run of the command line. */
interface Applied {
  /** What the mesh's revision will be. */
  readonly revision: number;
  readonly startMs: number;
  readonly returned: Promise<{ readonly atMs: number; readonly tookMs: number }>;
}

/** `eastwest policy apply` of the one document that shuts a caller out of every workload. */
function applyShut(
  { fleet, shutText }: EnforcedStage,
  folder: string,
  { caller, revision }: { readonly caller: string; readonly revision: number },
): Applied {
  const file = join(folder, 'shut.yaml');
  writeFileSync(file, shutText(caller));
  const startMs = performance.now();
  const words = [join(checkout, 'bin/eastwest.js'), 'policy', 'apply', file];
  const returned = runProgram(process.execPath, [...words, '--data-dir', fleet.controlPlane.dataDir], {
    deadlineMs: enoughMs,
  }).then(({ code, stdout, stderr }) => {
    if (code !== 0 || !stdout.endsWith(`\nrevision ${revision}\n`))
      throw new Error(`policy apply: ${code} ${stdout}${stderr}`);
    return { atMs: performance.now(), tookMs: performance.now() - startMs };
  });
  returned.catch(() => undefined); // told where it is awaited
  return { revision, startMs, returned };
}

async function acknowledged({ fleet }: EnforcedStage, { returned }: Applied): Promise<number> {
  const { atMs } = await returned;
  await fleet.untilCurrent(enoughMs);
  return performance.now() - atMs;
}

type CartStreams = ReadonlyMap<Callee, Readonly<Record<StreamKind, HeldStream>>>;

async function openCartStreams({ callees, fleet }: EnforcedStage): Promise<CartStreams> {
  const opened = callees.map(async (callee) => {
    const [webSocket, grpc, tcp] = await Promise.all(streamKinds.map((kind) => openStream(kind, callee.cart)));
    return [callee, { webSocket: webSocket!, grpc: grpc!, tcp: tcp! }] as const;
  });
  try {
    return new Map(await Promise.all(opened));
  } catch (cause) {
    const said = fleet.agents.get('cart')!.events.filter(({ level }) => level === 'warn' || level === 'error');
    throw new Error(`cart is not let in again: ${JSON.stringify(said.slice(-5))}`, { cause });
  }
}

const expectedEnds: Readonly<Record<StreamKind, RegExp>> = { webSocket: /^1006$/, grpc: /^7 /, tcp: /^closed$/ };

/** The first stream that ends says that the rules are there: a request that follows must be refused at once. */
async function seeRevoked(
  { name, cart }: Callee,
  streams: CartStreams,
  { shut, times }: { shut: Applied; times: Times },
): Promise<void> {
  const held = [...streams].find(([callee]) => callee.name === name)?.[1];
  if (held === undefined) throw new Error(`no streams to ${name}`);
  const enough = sleep(enoughMs, undefined, { ref: false }).then(() => Promise.reject(new Error(`${name} goes on`)));
  const ends = streamKinds.map(async (kind) => ({ kind, ...(await held[kind].ended) }));
  const request403 = Promise.race(ends).then(async () => {
    const status = await statusOf(cart);
    if (status !== 403) times.wrong.push(`${name} answered ${status} after it had ended a stream`);
    return performance.now();
  });
  const [askedMs, ...ended] = await Promise.race([Promise.all([request403, ...ends]), enough]);
  const { atMs: returnedMs } = await shut.returned;
  for (const { kind, atMs, how } of ended) {
    times.ended[kind].push(atMs - returnedMs);
    if (!expectedEnds[kind].test(how)) times.wrong.push(`${kind} to ${name} ended with ${how}`);
  }
  const lastMs = Math.max(askedMs, ...ended.map(({ atMs }) => atMs));
  times.revoked.push({ fromStart: lastMs - shut.startMs, fromReturn: lastMs - returnedMs });
}

/** The agent says that the rules are there: a request that follows must be let in at once. */
async function seeAllowed(
  { name, cart }: Callee,
  { fleet, open, times }: { fleet: PolicyFleet; open: Applied; times: Times },
): Promise<void> {
  await fleet.agents.get(name)!.event('policies.applied', ({ revision }) => revision === open.revision, enoughMs);
  const status = await statusOf(cart);
  if (status !== 200) times.wrong.push(`${name} answered ${status} after revision ${open.revision} was in force`);
  const nowMs = performance.now();
  const { atMs: returnedMs } = await open.returned;
  times.allowed.push({ fromStart: nowMs - open.startMs, fromReturn: nowMs - returnedMs });
}

const connections = new Agent({ keepAlive: true });

function statusOf({ http }: StreamPorts): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: http, agent: connections, path: '/asked' }, (reply) => {
      reply.resume().on('end', () => resolve(reply.statusCode ?? 0));
    });
    sent.on('error', reject).end();
  });
}
