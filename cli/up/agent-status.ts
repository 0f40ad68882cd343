import { z } from 'zod';
import type { Clock } from '#runtime/clock.ts';
import { getJson } from '#cli/unix-http.ts';

const count = z.number().int().nonnegative().default(0);

/** Why it is not ready: a name, or name and detail. */
const blocker = z.union([
  z.string(),
  z.object({ name: z.string(), detail: z.string() }).transform(({ name, detail }) => `${name} (${detail})`),
]);

/** The part of an agent's `GET /status` that `up` shows. */
const agentStatus = z.object({
  spiffeId: z.string().nullish(),
  rotations: count,
  notAfterMs: z.number().nullish(),
  ready: z.boolean(),
  blockers: z.array(blocker).default([]),
  counters: z.object({
    requests: count,
    failed: count,
    denied: count,
    resets: count,
    streams: count,
    inboundRequests: count,
    inboundDenied: count,
    inboundFailed: count,
  }),
});

export type AgentStatus = z.output<typeof agentStatus>;

/** Throws when the agent does not answer in time or answers something else. */
export async function readAgentStatus(socket: string, clock: Clock): Promise<AgentStatus> {
  return agentStatus.parse(await getJson(socket, '/status', { deadlineMs: 2_000, clock }));
}
