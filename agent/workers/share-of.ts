import type { AgentConfig } from '#agent/config-types.ts';

/**
 * One worker's part of an agent: its ceilings are per agent, so each of its workers has an equal share of them, rounded up.
 */
export function shareOf(config: AgentConfig): AgentConfig {
  const { workers, limits, outbound } = config;
  const share = (ceiling: number): number => Math.ceil(ceiling / workers);
  return {
    ...config,
    limits: { ...limits, connections: share(limits.connections), requests: share(limits.requests) },
    outbound: outbound && {
      ...outbound,
      upstreams: outbound.upstreams.map((upstream) => ({ ...upstream, maxRequests: share(upstream.maxRequests) })),
    },
  };
}
