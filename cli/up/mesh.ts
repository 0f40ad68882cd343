import { connect } from 'node:net';
import { Fault } from '#runtime/fault.ts';
import { endpointsAnnounced } from '#cli/admin-socket.ts';
import { isoTime } from '#cli/time-text.ts';
import type { UpContext } from './context.ts';
import { startAgent, startApp, startControlPlane, warmUpAgents, type PartProcess } from './parts.ts';
import type { WorkloadPlan } from './plan.ts';
import { until } from './until.ts';
import { tellWaits, type Wait } from './waiting.ts';
import { watchAgents, type AgentWatch } from './watch.ts';

const controlPlaneDeadlineMs = 30_000;
const agentsDeadlineMs = 60_000;
const announcedDeadlineMs = 10_000;
const appDeadlineMs = 30_000;
/** For all of it together. */
const startDeadlineMs = 60_000;
/** An app without ports is ready when it has run this long. */
const aliveMs = 500;
/** An agent that ends this often before it was ready will not be ready the next time either. */
const hopelessCrashes = 3;

/** All processes of a mesh. */
export interface RunningMesh {
  readonly watch: AgentWatch;
  app(workload: string): PartProcess | undefined;
  agent(workload: string): PartProcess | undefined;
  /** Apps that did not open their ports in time. */
  readonly lateApps: readonly string[];
  /** Apps that ended without being asked to, at least once. */
  crashedApps(): readonly string[];
  /** Resolves when everything runs; throws `Fault` when control plane or agents do not. */
  start(): Promise<void>;
  /** Apps first, callers before whom they call; then the agents, then the control plane. Safe at any moment. */
  stop(): Promise<void>;
}

export function createMesh(context: UpContext): RunningMesh {
  const { plan, edge, report } = context;
  const agents: { planned: WorkloadPlan; process: PartProcess }[] = [];
  const apps = new Map<string, PartProcess>();
  const lateApps: string[] = [];
  const watch = watchAgents(agents, { clock: edge.clock, report });
  let controlPlane: PartProcess | undefined;

  return {
    watch,
    lateApps,
    crashedApps: () => [...apps].filter(([, { crashes }]) => crashes > 0).map(([name]) => name),
    app: (workload) => apps.get(workload),
    agent: (workload) => agents.find(({ planned }) => planned.workload.name === workload)?.process,
    async start() {
      let isReady = false;
      const deadline = edge.clock.monotonic() + startDeadlineMs;
      controlPlane = startControlPlane(context, (address) => {
        isReady = true;
        report({ event: 'control-plane.ready', address });
      });
      await tellWaits(
        Promise.all([warmUpAgents(context), controlPlaneReady(context, controlPlane, () => isReady)]),
        () => [{ part: 'control-plane', workload: null, why: 'not ready yet', lastLine: controlPlane!.lastTrouble }],
        { clock: edge.clock, report },
      );
      for (const planned of plan.workloads) agents.push({ planned, process: startAgent(context, planned) });
      await agentsReady(context, agents, { watch, controlPlane });
      for (const name of plan.startOrder) {
        const planned = plan.workloads.find(({ workload }) => workload.name === name)!;
        const app = startApp(context, planned);
        apps.set(name, app);
        if (!(await appReady(context, planned, { app, deadline }))) lateApps.push(name);
      }
    },
    async stop() {
      for (const name of plan.startOrder.toReversed()) await apps.get(name)?.stop();
      await Promise.all(agents.map(({ process }) => process.stop()));
      await controlPlane?.stop();
    },
  };
}

async function controlPlaneReady({ edge }: UpContext, process: PartProcess, isReady: () => boolean): Promise<void> {
  const bounds = { deadlineMs: controlPlaneDeadlineMs, clock: edge.clock, signal: edge.stop };
  await until(() => isReady() || process.crashes > 0, bounds);
  if (isReady()) return;
  throw new Fault('CONTROL_PLANE_NOT_READY', `the control plane does not start:\n${process.lastLines.join('\n')}`, {
    hint: `see ${process.logFile}`,
  });
}

async function agentsReady(
  { edge, plan, report }: UpContext,
  agents: readonly { planned: WorkloadPlan; process: PartProcess }[],
  { watch, controlPlane }: { watch: AgentWatch; controlPlane: PartProcess },
): Promise<void> {
  const bounds = { deadlineMs: agentsDeadlineMs, clock: edge.clock, signal: edge.stop };
  const waiting = new Set(agents);
  const allReady = async (): Promise<boolean> => {
    await watch.poll();
    for (const agent of waiting) {
      const { spiffeId, inbound, workload } = agent.planned;
      if (watch.status(workload.name)?.ready !== true) continue;
      waiting.delete(agent);
      const notAfterMs = watch.tallies.get(workload.name)?.notAfterMs;
      const notAfter = notAfterMs === undefined ? null : isoTime(notAfterMs);
      report({ event: 'agent.ready', workload: workload.name, spiffeId, inbound, notAfter });
    }
    return waiting.size === 0 || [...waiting].some(({ process }) => process.crashes >= hopelessCrashes);
  };
  const waits = (): Wait[] =>
    [...waiting].map(({ planned: { workload }, process }) => {
      const why = blockersOf(watch, workload.name) ?? 'no answer yet';
      const trouble = process.lastTrouble ?? controlPlane.lastTrouble;
      const isToldTwice = trouble !== null && why.includes(trouble.slice(trouble.indexOf(' ') + 1));
      return { part: 'agent', workload: workload.name, why, lastLine: isToldTwice ? null : trouble };
    });
  await tellWaits(until(allReady, bounds), waits, { clock: edge.clock, report });
  const late = [...waiting].map(({ planned: { workload }, process }) => {
    const blockers = blockersOf(watch, workload.name) ?? process.lastLines.join(' ');
    return `${workload.name}: the agent is not ready: ${blockers || 'no answer'}; see ${process.logFile}`;
  });
  if (late.length > 0) throw new Fault('AGENTS_NOT_READY', late.join('\n'));
  const callees = plan.workloads
    .filter(({ workload }) => workload.listens.length > 0)
    .map(({ workload }) => workload.name);
  const known = () => endpointsAnnounced(plan.controlPlane.dataDir, callees, { clock: edge.clock, signal: edge.stop });
  await until(known, { ...bounds, deadlineMs: announcedDeadlineMs });
}

function blockersOf(watch: AgentWatch, workload: string): string | undefined {
  return watch.status(workload)?.blockers.join(', ');
}

/**
 * Tells when it is: its ports are open, or it has none and stays alive. False when it ended, or is late. Throws `Fault`
 * APPS_NOT_READY when the time for the whole start is over.
 */
async function appReady(
  { edge, report }: UpContext,
  { workload: { name, listens } }: WorkloadPlan,
  { app, deadline }: { app: PartProcess; deadline: number },
): Promise<boolean> {
  const { clock, stop: signal } = edge;
  const ports = listens.map(({ port }) => port);
  const startedMs = clock.monotonic();
  const isReady = async (): Promise<boolean> =>
    ports.length === 0
      ? app.isRunning && app.crashes === 0 && clock.monotonic() - startedMs >= aliveMs
      : (await Promise.all(ports.map(isOpen))).every(Boolean) && app.isRunning;
  const isHopeless = (): boolean => app.crashes >= (ports.length === 0 ? 1 : hopelessCrashes);
  const deadlineMs = Math.max(0, Math.min(appDeadlineMs, deadline - startedMs));
  let ready = false;
  const settled = until(async () => (ready = await isReady()) || isHopeless(), { deadlineMs, clock, signal });
  const why = ports.length === 0 ? 'it does not stay alive' : `${portsText(ports)} not open`;
  await tellWaits(settled, () => [{ part: 'app', workload: name, why, lastLine: app.lastTrouble }], { clock, report });
  if (ready) {
    report({ event: 'app.ready', workload: name, ports });
    return true;
  }
  if (clock.monotonic() >= deadline) {
    const last = app.lastTrouble === null ? '' : ` (${app.lastTrouble})`;
    throw new Fault(
      'APPS_NOT_READY',
      `the mesh is not ready after ${startDeadlineMs / 1000} s: ${name}: ${why}${last}`,
      {
        hint: `see ${app.logFile}`,
      },
    );
  }
  if (ports.length > 0) report({ event: 'app.late', workload: name, ports, waitedMs: clock.monotonic() - startedMs });
  return false;
}

function portsText(ports: readonly number[]): string {
  return `port ${ports.join(' and ')} ${ports.length === 1 ? 'is' : 'are'}`;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
  });
}
