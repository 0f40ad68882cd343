import { flushCompileCache } from 'node:module';
import { collectGarbage } from '#runtime/collect-garbage.ts';
import { runWithDrain } from '#runtime/drain.ts';
import { errorLines } from '#runtime/error-lines.ts';
import { Fault } from '#runtime/fault.ts';
import { limitLog } from '#runtime/log-limit.ts';
import { createLog } from '#runtime/log.ts';
import { listenForStop } from '#runtime/stop-signals.ts';
import { systemClock, systemRandom } from '#runtime/system-clock.ts';
import { runAgent } from './agent.ts';
import { handOverVariable, unpackHandOver, warmUp, type HandOver } from './config-hand-over.ts';
import { agentEventLevels, floodLimit, type AgentEmit, type AgentEvent } from './events.ts';

/**
 * The agent's process edge: configuration → run → exit code. `eastwest agent` has read and checked the configuration
 * and become this process: what reading it needed would otherwise stay in memory as long as the agent lives.
 */
async function main({ config, version }: HandOver, emit: AgentEmit): Promise<number> {
  const signals = listenForStop(process, systemClock);
  const outcome = await runWithDrain(
    (phases) => {
      const kill = AbortSignal.any([phases.kill, signals.kill.signal]);
      const { stdin } = process;
      const world = { stdin, clock: systemClock, random: systemRandom, collect: collectGarbage };
      return runAgent({ config, version, emit, onReady, ...world }, { stop: phases.stop, kill });
    },
    { stop: signals.stop.signal, drainMs: config.drainMs, clock: systemClock },
  );
  emit({ event: 'agent.stopped', outcome });
  return outcome === 'drained' ? 0 : 1;
}

/** What was compiled is kept now: an agent that is killed later would leave nothing for the next one. */
const onReady = (): void => flushCompileCache();

const packed = process.env[handOverVariable];
if (packed === undefined) {
  process.stderr.write(
    'error: this is the inside of an agent\nfix: start it with `eastwest agent --config agent.yaml`\n',
  );
  process.exit(2);
}
delete process.env[handOverVariable];
if (packed === warmUp) {
  await Promise.all([
    import('./identity/control-plane-identity.ts'),
    import('#proto/mesh-client.ts'),
    import('./local-data-path.ts'),
  ]);
  process.exit(0); // its compile cache is written at the exit
}
const handOver = unpackHandOver(packed);
const { workload, logLevel } = handOver.config;
const log = createLog<AgentEvent>({ levels: agentEventLevels, minLevel: logLevel, base: { workload }, fd: 2 });
const emit = limitLog(log, { ...floodLimit, clock: systemClock });
try {
  process.exit(await main(handOver, emit));
} catch (error) {
  const hint = error instanceof Fault ? error.hint : undefined;
  emit({ event: 'agent.failed', error, ...(hint !== undefined && { hint }) });
  process.stderr.write(errorLines(error));
  process.exit(1);
}
