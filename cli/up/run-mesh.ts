import type { SpiffeId } from '#certs/spiffe-id.ts';
import { turnOver } from './access-logs.ts';
import type { UpContext } from './context.ts';
import type { Reporter, View } from './events.ts';
import { createMesh, type RunningMesh } from './mesh.ts';
import { isPathCounted, isPathEchoed } from './path-proof.ts';
import { serveStatus } from './status-server.ts';
import { emptyTally, exitCodeFor, summarize, type Summary } from './summary.ts';
import { startTraffic, type Traffic } from './traffic.ts';

const pollMs = 1_000;
const progressEveryMs = 5_000;
const failureLineEveryMs = 1_000;

/** One run, from the first process to the last. */
interface Run {
  readonly context: UpContext;
  readonly reporter: Reporter;
  readonly mesh: RunningMesh;
  readonly startedMs: number;
  traffic: Traffic | undefined;
  readyMs: number | undefined;
  path: readonly string[] | undefined;
  failureLineMs: number;
}

/**
 * Starts the mesh, keeps it running until `stop` or for `forMs`, stops it and returns the exit code: 1 when a request
 * failed, a stream was cut, or an app crashed or never opened its ports. Throws what kept it from starting.
 */
export async function runMesh(context: UpContext, reporter: Reporter, forMs: number | undefined): Promise<number> {
  const { edge, plan, state } = context;
  const run: Run = {
    context,
    reporter,
    mesh: createMesh(context),
    startedMs: edge.clock.monotonic(),
    traffic: undefined,
    readyMs: undefined,
    path: undefined,
    failureLineMs: -Infinity,
  };
  const statusServer = await serveStatus(state.statusSocket, {
    summary: () => summaryOf(run),
    view: () => viewOf(run),
    agents: () => Object.fromEntries(plan.workloads.map(({ workload, adminSocket }) => [workload.name, adminSocket])),
  });
  state.announce();
  let why = 'it could not start';
  let hasTrouble = false;
  try {
    await run.mesh.start();
    run.readyMs = edge.clock.monotonic();
    context.report({ event: 'up.ready', tookMs: Math.round(run.readyMs - run.startedMs) });
    run.traffic = startTraffic(plan.mesh.traffic, {
      clock: edge.clock,
      onAnswer: (text) => proveByEcho(run, text),
      onFailure: (url, reason) => tellFailure(run, url, reason),
    });
    why = await attend(run, forMs);
  } catch (error) {
    if (!edge.stop.aborted) throw error;
    why = stopReason(edge.stop);
  } finally {
    await run.traffic?.stop();
    await run.mesh.watch.poll();
    hasTrouble = run.mesh.lateApps.length > 0 || run.mesh.crashedApps().length > 0;
    const summary = summaryOf(run); // counted to here: what the stopping of apps breaks is no failure of the mesh
    context.report({ event: 'up.stopping', why });
    await run.mesh.stop();
    statusServer.close();
    reporter.finish(summary);
  }
  return hasTrouble ? 1 : exitCodeFor(summaryOf(run));
}

/** Looks after the running mesh once a second until it is time to stop; says why it is. */
async function attend(run: Run, forMs: number | undefined): Promise<string> {
  const { clock, stop } = run.context.edge;
  const endMs = forMs === undefined ? Infinity : clock.monotonic() + forMs;
  let progressMs = clock.monotonic() + progressEveryMs;
  while (clock.monotonic() < endMs) {
    await clock.sleep(Math.min(pollMs, endMs - clock.monotonic()), stop).catch(() => undefined);
    if (stop.aborted) return stopReason(stop);
    await run.mesh.watch.poll();
    proveByCounters(run);
    run.reporter.show(viewOf(run));
    if (clock.monotonic() < progressMs) continue;
    progressMs += progressEveryMs;
    for (const { accessLog } of run.context.plan.workloads) turnOver(accessLog);
    const { requests, failed, resets, denied } = summaryOf(run);
    run.context.report({ event: 'progress', requests, failed, resets, denied });
  }
  return 'the time given with --for is over';
}

function stopReason(stop: AbortSignal): string {
  return stop.reason instanceof Error ? stop.reason.message : 'asked to';
}

function proveByEcho(run: Run, text: string): void {
  const { path, workloads } = run.context.plan;
  if (run.path !== undefined) return;
  const idOf = (name: string): SpiffeId => workloads.find(({ workload }) => workload.name === name)!.spiffeId;
  if (isPathEchoed(text, path.map(idOf))) provePath(run, 'echo');
}

/** For apps that do not echo what they were told. */
function proveByCounters(run: Run): void {
  const { path, mesh } = run.context.plan;
  if (run.path !== undefined || !isPathCounted(path, run.mesh.watch.tallies)) return;
  const answered = (run.traffic?.count.requests ?? 0) > (run.traffic?.count.failed ?? 0);
  if (answered || mesh.traffic.length === 0) provePath(run, 'counters');
}

function provePath(run: Run, by: 'echo' | 'counters'): void {
  run.path = run.context.plan.path;
  run.context.report({ event: 'path.proved', path: run.path, by });
}

/** At most one line a second: the number tells of the others. */
function tellFailure(run: Run, url: string, why: string): void {
  const nowMs = run.context.edge.clock.monotonic();
  if (nowMs - run.failureLineMs < failureLineEveryMs) return;
  run.failureLineMs = nowMs;
  run.context.report({ event: 'traffic.failed', url, why, failed: run.traffic?.count.failed ?? 0 });
}

function summaryOf({ context, mesh, traffic }: Run): Summary {
  return summarize(context.plan, mesh.watch.tallies, traffic?.count ?? { requests: 0, failed: 0, resets: 0 });
}

function viewOf(run: Run): View {
  const { edge, plan } = run.context;
  return {
    mesh: plan.mesh.name,
    summary: summaryOf(run),
    nowMs: edge.clock.now(),
    readyForMs: run.readyMs === undefined ? undefined : edge.clock.monotonic() - run.readyMs,
    path: run.path,
    rows: plan.workloads.map(({ workload: { name } }) => {
      const { counters, notAfterMs } = run.mesh.watch.tallies.get(name) ?? emptyTally;
      const app = run.mesh.app(name);
      const status = run.mesh.watch.status(name);
      return {
        name,
        app: app?.isRunning === true ? 'running' : (app?.starts ?? 0) > 0 ? 'crashed' : 'waiting',
        agent: status === undefined ? 'down' : status.ready ? 'ready' : 'not ready',
        notAfterMs,
        requests: counters.requests,
        failed: counters.failed,
      };
    }),
  };
}
