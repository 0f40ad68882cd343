import { resolve } from 'node:path';
import { runAgentProcess } from '#agent/main.ts';
import { UsageError, type Run } from './edge.ts';

/** `eastwest agent`: one sidecar. Ends with 0 when it drained in time, with 1 when it had to be cut short. */
export const run: Run = async ({ values }, edge) => {
  const config = values['config'];
  if (config === undefined) throw new UsageError('--config is missing', 'write `eastwest agent --config agent.yaml`');
  const { version, stdin, stop, kill, clock, random } = edge;
  const configPath = resolve(edge.cwd, config);
  const outcome = await runAgentProcess({ configPath, version, stdin, stop, kill, clock, random });
  return outcome === 'drained' ? 0 : 1;
};
