import type { Clock } from '#runtime/clock.ts';
import { isoTime } from '#cli/time-text.ts';
import { readAgentStatus, type AgentStatus } from './agent-status.ts';
import type { Report } from './events.ts';
import type { WorkloadPlan } from './plan.ts';
import { addStatus, emptyTally, type AgentTally } from './summary.ts';
import type { Supervised } from './supervisor.ts';

export interface WatchedAgent {
  readonly planned: WorkloadPlan;
  readonly process: Supervised;
}

export interface AgentWatch {
  readonly tallies: ReadonlyMap<string, AgentTally>;
  /** The latest answer; undefined while the agent gives none. */
  status(workload: string): AgentStatus | undefined;
  /** Asks every agent once. Tells of each rotation seen. */
  poll(): Promise<void>;
}

/** Keeps the tallies of all agents, over their restarts. */
export function watchAgents(
  agents: readonly WatchedAgent[],
  { clock, report }: { clock: Clock; report: Report },
): AgentWatch {
  const tallies = new Map<string, AgentTally>();
  const countedStart = new Map<string, number>();
  const answers = new Map<string, AgentStatus>();

  const ask = async ({ planned, process }: WatchedAgent): Promise<void> => {
    const { name } = planned.workload;
    const start = process.starts;
    const status = await readAgentStatus(planned.adminSocket, clock).catch(() => undefined);
    if (status === undefined || process.starts !== start) return void answers.delete(name);
    answers.set(name, status);
    const before = tallies.get(name) ?? emptyTally;
    const after = addStatus(before, status, countedStart.get(name) === start ? 'same-process' : 'new-process');
    tallies.set(name, after);
    countedStart.set(name, start);
    if (after.rotations > before.rotations) {
      const notAfter = after.notAfterMs === undefined ? null : isoTime(after.notAfterMs);
      report({ event: 'svid.rotated', workload: name, rotations: after.rotations, notAfter });
    }
  };

  return {
    tallies,
    status: (workload) => answers.get(workload),
    poll: () => Promise.all(agents.map(ask)).then(() => undefined),
  };
}
