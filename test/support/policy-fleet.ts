import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findAdminSocket } from '#control-plane/data-dir.ts';
import { createAdminClient } from '#proto/admin.ts';
import type { PolicyClient } from '#proto/policy-admin.ts';
import type { PolicyStatusResponse } from '#proto/policy-messages.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { startAgent, type AgentProcess } from './agent-process.ts';
import { startControlPlaneProcess, type ControlPlaneProcess } from './control-plane-process.ts';
import { makeJoinTokens } from './join-tokens.ts';

/** What one agent of the fleet is to do; its namespace is `default` unless it says otherwise. */
export interface FleetMember {
  readonly workload: string;
  readonly namespace?: string;
  readonly inbound?: object;
  readonly outbound?: object;
}

/** One control plane and as many agents as wanted, each a process of its own. */
export interface PolicyFleet extends AsyncDisposable {
  readonly controlPlane: ControlPlaneProcess;
  readonly agents: ReadonlyMap<string, AgentProcess>;
  /** The operator's socket, as the command line uses it. */
  readonly policies: PolicyClient;
  /** Resolves when every agent has what the newest revision says for it; rejects after `deadlineMs`. */
  untilCurrent(deadlineMs: number): Promise<PolicyStatusResponse>;
}

export const adminCall = { deadlineMs: 30_000, signal: new AbortController().signal };
/** So many start at the same time: each takes half a second of a core. */
const startTogether = 4;
const readyDeadlineMs = 60_000;
const askEveryMs = 10;

export async function startPolicyFleet(
  members: readonly FleetMember[],
  { svidLife, trustDomain }: { readonly svidLife: string; readonly trustDomain: string },
): Promise<PolicyFleet> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-fleet-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const controlPlane = stack.use(await startControlPlaneProcess(svidLife, { trustDomain }));
  const namespaces = new Map(members.map(({ workload, namespace = 'default' }) => [workload, namespace]));
  const names = [...namespaces.keys()];
  const tokens = await makeJoinTokens(controlPlane, names, (name) => namespaces.get(name) ?? 'default');
  const agents = new Map<string, AgentProcess>();
  const waiting = members.map((member, index) => ({ member, token: tokens[index] ?? '' }));
  const startNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { workload, namespace: _namespace, ...traffic } = next.member;
      const token = join(folder, `${workload}.token`);
      writeFileSync(token, next.token, { mode: 0o600 });
      const { address, trustBundle } = controlPlane;
      const identity = { controlPlane: { address, trustBundle, joinToken: { file: token } } };
      const agent = stack.use(startAgent({ workload, trustDomain, identity, ...traffic }));
      agents.set(workload, agent);
      await agent.event('agent.ready', undefined, readyDeadlineMs);
    }
  };
  await Promise.all(Array.from({ length: startTogether }, startNext));
  const socketPath = await findAdminSocket(controlPlane.dataDir);
  const admin = createAdminClient({ socketPath, clock: systemClock });
  stack.defer(() => admin.close());
  const all = stack.move();
  return {
    controlPlane,
    agents,
    policies: admin.policies,
    async untilCurrent(deadlineMs) {
      const untilMs = performance.now() + deadlineMs;
      for (;;) {
        const status = await admin.policies.status(adminCall);
        if (!status.ok) throw new Error(status.reason.reason);
        const behind = status.value.workloads.flatMap(({ name, agentsConnected, agentsCurrent, behind: laggards }) =>
          agentsConnected > 0 && agentsCurrent === agentsConnected ? [] : [{ name, laggards }],
        );
        if (behind.length === 0) return status.value;
        if (performance.now() > untilMs) throw new Error(`behind: ${JSON.stringify(behind)}`);
        await new Promise((resolve) => setTimeout(resolve, askEveryMs));
      }
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
