import { readFile } from 'node:fs/promises';
import type { Clock, Random } from '#runtime/clock.ts';
import { runWithDrain } from '#runtime/drain.ts';
import { Fault } from '#runtime/fault.ts';
import { createLog } from '#runtime/log.ts';
import { runAgent } from './agent.ts';
import { parseAgentConfig } from './config.ts';
import { agentEventLevels, type AgentEvent } from './events.ts';

export interface AgentEdge {
  readonly configPath: string;
  readonly version: string;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  /** Asked to stop: drain. */
  readonly stop: AbortSignal;
  /** Asked again: end now. */
  readonly kill: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
}

/** The agent's process edge: config → run → outcome. Logs JSON lines to standard error. Throws `Fault`. */
export async function runAgentProcess(edge: AgentEdge): Promise<'drained' | 'killed'> {
  const { configPath, clock } = edge;
  const text = await readFile(configPath, 'utf8').catch((cause: unknown) => {
    const hint = 'eastwest agent --config FILE names the agent.yaml to run';
    throw new Fault('CONFIG_UNREADABLE', `cannot read ${configPath}`, { cause, hint });
  });
  const config = parseAgentConfig(text);
  if (!config.ok)
    throw new Fault('CONFIG_INVALID', `${configPath} has problems:\n${config.reason}`, {
      hint: 'mend the lines named above',
    });
  const { workload, drainMs, logLevel } = config.value;
  const emit = createLog<AgentEvent>({ levels: agentEventLevels, minLevel: logLevel, base: { workload }, fd: 2 });
  const outcome = await runWithDrain(
    async (phases) => {
      const kill = AbortSignal.any([phases.kill, edge.kill]);
      await runAgent({ ...edge, config: config.value, emit }, { stop: phases.stop, kill });
    },
    { stop: AbortSignal.any([edge.stop, edge.kill]), drainMs, clock },
  );
  emit({ event: 'agent.stopped', outcome });
  return outcome;
}
