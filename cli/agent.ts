import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { agentFlags, handOverVariable, packHandOver } from '#agent/config-hand-over.ts';
import { parseAgentConfig } from '#agent/config.ts';
import { Fault } from '#runtime/fault.ts';
import { UsageError, type Run } from './edge.ts';

/**
 * `eastwest agent`: reads and checks the configuration, then becomes the agent. Ends with 0 when it drained in time,
 * with 1 when it had to be cut short.
 */
export const run: Run = async ({ values }, edge) => {
  const path = values['config'];
  if (path === undefined) throw new UsageError('--config is missing', 'write `eastwest agent --config agent.yaml`');
  const text = await readFile(resolve(edge.cwd, path), 'utf8').catch((cause: unknown) => {
    throw new Fault('CONFIG_UNREADABLE', `cannot read ${path}`, {
      cause,
      hint: '--config names the agent.yaml to run',
    });
  });
  const config = parseAgentConfig(text);
  if (!config.ok) {
    throw new Fault('CONFIG_INVALID', `${path} has problems:\n${config.reason}`, {
      hint: 'mend the places named above',
    });
  }
  const packed = packHandOver({ config: config.value, version: edge.version });
  if (packed === undefined) {
    throw new Fault('CONFIG_TOO_LARGE', `${path} is too large`, { hint: 'list fewer upstreams, or shorter lists' });
  }
  return edge.become('agent/main', { flags: agentFlags, variables: { [handOverVariable]: packed } });
};
