import { connect } from 'node:net';
import { Fault } from '#runtime/fault.ts';
import { endpointsAnnounced } from '#cli/admin-socket.ts';
import { isoTime } from '#cli/time-text.ts';
import type { UpContext } from './context.ts';
import { startAgent, startApp, startControlPlane, warmUpAgents, type PartProcess } from './parts.ts';
import type { WorkloadPlan } from './plan.ts';
import { until } from './until.ts';
import { watchAgents, type AgentWatch } from './watch.ts';

const controlPlaneDeadlineMs = 30_000;
const agentsDeadlineMs = 60_000;
const announcedDeadlineMs = 10_000;
const appDeadlineMs = 30_000;
/** An agent that ends this often before it was ready will not be ready the next time either. */
const hopelessCrashes = 3;

/** All processes of a mesh. */
export interface RunningMesh {
  readonly watch: AgentWatch;
  app(workload: string): PartProcess | undefined;
  agent(workload: string): PartProcess | undefined;
  /** Apps that did not open their ports in time. */
  readonly lateApps: readonly string[];
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
    app: (workload) => apps.get(workload),
    agent: (workload) => agents.find(({ planned }) => planned.workload.name === workload)?.process,
    async start() {
      let isReady = false;
      controlPlane = startControlPlane(context, (address) => {
        isReady = true;
        report({ event: 'control-plane.ready', address });
      });
      await Promise.all([warmUpAgents(context), controlPlaneReady(context, controlPlane, () => isReady)]);
      for (const planned of plan.workloads) agents.push({ planned, process: startAgent(context, planned) });
      await agentsReady(context, agents, watch);
      for (const name of plan.startOrder) {
        const planned = plan.workloads.find(({ workload }) => workload.name === name)!;
        apps.set(name, startApp(context, planned));
        if (!(await appReady(context, planned))) lateApps.push(name);
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
  watch: AgentWatch,
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
  await until(allReady, bounds);
  const late = [...waiting].map(({ planned: { workload }, process }) => {
    const blockers = watch.status(workload.name)?.blockers.join(', ') ?? process.lastLines.join(' ');
    return `${workload.name}: the agent is not ready: ${blockers || 'no answer'}; see ${process.logFile}`;
  });
  if (late.length > 0) throw new Fault('AGENTS_NOT_READY', late.join('\n'));
  const callees = plan.workloads
    .filter(({ workload }) => workload.listens.length > 0)
    .map(({ workload }) => workload.name);
  const known = () => endpointsAnnounced(plan.controlPlane.dataDir, callees, { clock: edge.clock, signal: edge.stop });
  await until(known, { ...bounds, deadlineMs: announcedDeadlineMs });
}

/** Tells when it is. False when its ports are not all open in time. */
async function appReady({ edge, report }: UpContext, { workload }: WorkloadPlan): Promise<boolean> {
  const ports = workload.listens.map(({ port }) => port);
  const allOpen = async (): Promise<boolean> => (await Promise.all(ports.map(isOpen))).every(Boolean);
  const isReady = await until(allOpen, { deadlineMs: appDeadlineMs, clock: edge.clock, signal: edge.stop });
  if (isReady) report({ event: 'app.ready', workload: workload.name, ports });
  else report({ event: 'app.late', workload: workload.name, ports, waitedMs: appDeadlineMs });
  return isReady;
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
