import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { startEchoMesh } from './echo-mesh.ts';
import { runLoad, type LoadResult } from './load.ts';
import { processesBelow } from './processes.ts';
import { startStandaloneMesh } from './standalone-mesh.ts';

/** When outages begin: after a random pause within these bounds, or at each of these parts of a life, counted from cart's latest rotation. */
export type OutageMoments =
  | { readonly kind: 'random'; readonly pauseMs: readonly [from: number, to: number] }
  | { readonly kind: 'at'; readonly shares: readonly number[] };

export interface OutageStory {
  readonly svidLifeMs: number;
  /** From its going until it is ready again: 30 % of a life. */
  readonly awayMs: number;
  readonly moments: OutageMoments;
  /** The load's length; with given shares it is long enough for all of them. */
  readonly forMs: number;
  readonly perSecond: number;
  readonly longLived: number;
}

/** One control plane that can be taken away from a running mesh. */
interface Absence {
  begin(): Promise<void>;
  /** Resolves when it is ready; begun `leadMs` before that is due. */
  end(): Promise<void>;
  readonly leadMs: number;
  /** How often cart's certificate has been replaced so far. */
  rotations(): Promise<number>;
}

interface OutageReport {
  readonly load: LoadResult;
  /** When each outage began, as a part of the life since cart's latest rotation, if that was waited for; else ms since the start. */
  readonly began: readonly number[];
}

/** Under `eastwest up`; the control plane is frozen by SIGSTOP and goes on by SIGCONT. */
export async function frozenStory(story: OutageStory): Promise<OutageReport> {
  await using mesh = await startEchoMesh(`${story.svidLifeMs}ms`);
  const pid = controlPlaneOf(mesh.pid);
  const report = await loadDuring(mesh.ports, story, {
    begin: async () => void process.kill(pid, 'SIGSTOP'),
    end: async () => void process.kill(pid, 'SIGCONT'),
    leadMs: 0,
    rotations: async () =>
      mesh.lines.filter((line) => line['event'] === 'svid.rotated' && line['workload'] === 'cart').length,
  });
  const { code, summary } = await mesh.stop();
  expectNothingFailed(report);
  expect(mesh.lines.filter((line) => line['event'] === 'part.crashed')).toEqual([]);
  expect({ ...summary, code }).toMatchObject({ failed: 0, resets: 0, code: 0 });
  return report;
}

/** Control plane and agents by themselves; the control plane is ended by SIGKILL and then started again. */
export async function killedStory(story: OutageStory): Promise<OutageReport> {
  await using mesh = await startStandaloneMesh(`${story.svidLifeMs}ms`);
  const { controlPlane, cart, echo } = mesh;
  const failedBefore = (await cart.status()).counters.failed; // until it had heard where echo is
  const report = await loadDuring(mesh.ports, story, {
    begin: () => controlPlane.kill(),
    end: () => controlPlane.start(),
    leadMs: controlPlane.firstStartMs,
    rotations: async () => cart.events.filter(({ event }) => event === 'svid.rotated').length,
  });
  expectNothingFailed(report);
  const statuses = [await cart.status(), await echo.status()];
  for (const { workload, ready, joinTokenUses, counters } of statuses) {
    expect({ ready, joinTokenUses }).toEqual({ ready: true, joinTokenUses: 1 });
    const failed = workload === 'cart' ? failedBefore : 0;
    expect(counters).toMatchObject({ failed, resets: 0, inboundFailed: 0 });
  }
  return report;
}

export function controlPlaneOf(upPid: number): number {
  const found = processesBelow(upPid).find(({ words }) => words.includes('control-plane'));
  if (found === undefined) throw new Error('there is no control plane below this process');
  return found.pid;
}

async function loadDuring(
  ports: { readonly http: number; readonly tcp: number },
  story: OutageStory,
  absence: Absence,
): Promise<OutageReport> {
  const { forMs, perSecond, longLived } = story;
  const over = new AbortController();
  const outages = takeAway(story, absence, over.signal);
  const load = await runLoad({
    forMs,
    http: { port: ports.http, perSecond },
    webSockets: { port: ports.http, count: longLived },
    tcp: { port: ports.tcp, count: longLived },
  });
  over.abort();
  return { load, began: await outages };
}

/** Away and back, again and again, until `over` or until every given moment has had its outage. Always ends with "back". */
async function takeAway(
  { svidLifeMs, awayMs, moments }: OutageStory,
  absence: Absence,
  over: AbortSignal,
): Promise<number[]> {
  const began: number[] = [];
  const startedMs = performance.now();
  for (let index = 0; !over.aborted; index += 1) {
    if (moments.kind === 'at') {
      const share = moments.shares[index];
      if (share === undefined) break;
      const before = await absence.rotations();
      while ((await absence.rotations()) === before && !over.aborted) await sleep(20);
      await sleep(share * svidLifeMs);
      began.push(share);
    } else {
      const [from, to] = moments.pauseMs;
      await sleep(from + (to - from) * Math.random());
      began.push(Math.round(performance.now() - startedMs));
    }
    if (over.aborted) break;
    await absence.begin();
    await sleep(awayMs - absence.leadMs);
    await absence.end();
  }
  return began;
}

function expectNothingFailed({ load, began }: OutageReport): void {
  const { failures, resets, damaged } = load;
  expect(
    { failures: failures.slice(0, 5), resets, damaged },
    `the control plane went away at ${began.join(', ')}`,
  ).toEqual({
    failures: [],
    resets: [],
    damaged: [],
  });
}
