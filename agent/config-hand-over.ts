import { deflateSync, inflateSync } from 'node:zlib';
import type { AgentConfig } from './config-types.ts';

/** What the command line hands over to the agent's own process. */
export interface HandOver {
  readonly config: AgentConfig;
  /** Of this package. */
  readonly version: string;
}

/** Where it waits. It holds paths and addresses, no secret. */
export const handOverVariable = 'EASTWEST_AGENT';

/** In its place: load everything, keep what was compiled, and end. So that agents started together need not compile. */
export const warmUp = 'warm-up';

/**
 * How the agent's own Node is started: with a collector that can be asked, and one helper thread. What a finished
 * compilation used is freed at once: in that thread it would wait behind the other compilations of a busy start, and
 * 12 MB would stay.
 */
export const agentFlags: readonly string[] = ['--expose-gc', '--v8-pool-size=1', '--no-maglev-destroy-on-background'];

/** The longest string that Linux takes in an environment, name included. */
const maxBytes = 128 * 1024 - 64;

/** Packs a checked configuration into one environment string; undefined when it is too large for one. */
export function packHandOver(handOver: HandOver): string | undefined {
  const packed = deflateSync(JSON.stringify(handOver)).toString('base64');
  return packed.length <= maxBytes ? packed : undefined;
}

/** What `packHandOver` packed. */
export function unpackHandOver(packed: string): HandOver {
  return JSON.parse(inflateSync(Buffer.from(packed, 'base64')).toString('utf8')) as HandOver;
}
