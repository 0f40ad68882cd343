import { deflateSync, inflateSync } from 'node:zlib';
import type { AgentConfig } from './config-types.ts';

/** Where the checked configuration waits for the agent's process. It holds paths and addresses, no secret. */
export const configVariable = 'EASTWEST_AGENT_CONFIG';

/** The longest string that Linux takes in an environment, without the name. */
const maxBytes = 128 * 1024 - 64;

/** Packs a checked configuration into one environment string; undefined when it is too large for one. */
export function packConfig(config: AgentConfig): string | undefined {
  const packed = deflateSync(JSON.stringify(config)).toString('base64');
  return packed.length <= maxBytes ? packed : undefined;
}

/** The configuration that `packConfig` packed. */
export function unpackConfig(packed: string): AgentConfig {
  return Object.freeze(JSON.parse(inflateSync(Buffer.from(packed, 'base64')).toString('utf8')) as AgentConfig);
}
