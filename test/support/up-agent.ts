import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReadinessReport } from '#agent/admin/readiness.ts';
import type { AgentStatus } from '#agent/admin/status.ts';
import { getJson } from '#cli/unix-http.ts';
import { systemClock } from '#runtime/system-clock.ts';
import type { LoggedEvent } from './agent-process.ts';
import type { MeshProcess } from './mesh-process.ts';

/** The agent of one workload of a mesh that `eastwest up` runs, seen from outside. */
export interface UpAgent {
  readonly name: string;
  status(): Promise<AgentStatus>;
  readyz(): Promise<{ readonly atMs: number; readonly code: number; readonly report: ReadinessReport }>;
  /** Its log so far, over all its starts. */
  log(): LoggedEvent[];
}

export function agentOf({ stateDir }: MeshProcess, name: string): UpAgent {
  const config = JSON.parse(readFileSync(join(stateDir, 'agents', `${name}.yaml`), 'utf8')) as {
    readonly admin: { readonly listen: string; readonly socket: string };
  };
  return {
    name,
    status: async () =>
      (await getJson(config.admin.socket, '/status', { deadlineMs: 2_000, clock: systemClock })) as AgentStatus,
    async readyz() {
      const reply = await fetch(`http://${config.admin.listen}/readyz`);
      return { atMs: Date.now(), code: reply.status, report: (await reply.json()) as ReadinessReport };
    },
    log: () =>
      readFileSync(join(stateDir, 'logs', `${name}.agent.log`), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as LoggedEvent),
  };
}
