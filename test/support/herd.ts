import { setTimeout as sleep } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import { createReadiness } from '#agent/admin/readiness.ts';
import { createControlPlaneIdentity, type ControlPlaneIdentity } from '#agent/identity/control-plane-identity.ts';
import { createIdentityStore, type IdentityStore } from '#agent/identity/store.ts';
import { systemClock, systemRandom } from '#runtime/system-clock.ts';
import { readAudit } from './audit-of.ts';
import { startControlPlaneProcess, type ControlPlaneProcess } from './control-plane-process.ts';
import { makeJoinTokens } from './join-tokens.ts';
import { openNoPolicies } from './no-policies.ts';
import { linesOf } from './rotator-stage.ts';

export interface HerdStory {
  readonly rotators: number;
  readonly svidLifeMs: number;
  /** Parts of a life, counted from the first issuance of all. */
  readonly awayFrom: number;
  readonly awayTo: number;
}

export interface HerdReport {
  /** Most issuances in any window of 200 ms after the control plane came back. */
  readonly most: number;
  readonly issuedAfterwards: number;
  /** When each was issued, ms after it came back. */
  readonly afterMs: readonly number[];
}

interface Member {
  readonly workload: string;
  readonly store: IdentityStore;
  readonly source: ControlPlaneIdentity;
}

const windowMs = 200;

/**
 * Many agents' identities in this process, all joined at the same time; their control plane, a real one, is killed and
 * comes back.
 *
 * What to expect: who is overdue tries again at a random point of windows of a twelfth of what is left, w, on average
 * every 0.55 w, not together with the others. So of the overdue ones 200 ms / 0.55 w are the most that 200 ms can see on
 * average, with the deviation of that many independent draws. The story's numbers put half of all at three deviations or
 * more; a herd, all at the first try after the return, would be all of them.
 */
export async function herdStory({ rotators, svidLifeMs, awayFrom, awayTo }: HerdStory): Promise<HerdReport> {
  await using controlPlane = await startControlPlaneProcess(`${svidLifeMs}ms`);
  const stop = new AbortController();
  const names = Array.from({ length: rotators }, (_none, index) => `w${index}`);
  const tokens = await makeJoinTokens(controlPlane, names);
  const members = await Promise.all(names.map((name, index) => createMember(controlPlane, name, tokens[index]!)));
  const running = members.map(({ source }) => source.run(stop.signal).catch((error: unknown) => error));
  await Promise.all(members.map(({ store }) => store.first(stop.signal)));
  const joinedMs = Date.now();

  await sleep(joinedMs + awayFrom * svidLifeMs - Date.now());
  await controlPlane.kill();
  const goneMs = Date.now();
  const before = members.map(({ store }) => store.current()!.generation);
  await sleep(joinedMs + awayTo * svidLifeMs - Date.now());
  await controlPlane.start();
  const backMs = Date.now();
  await vi.waitFor(
    () => {
      const behind = members.filter(({ store }, index) => store.current()!.generation === before[index]);
      expect(behind.map(({ workload }) => workload)).toEqual([]);
    },
    { timeout: svidLifeMs, interval: 50 },
  );
  const statuses = members.map(({ workload, source }) => ({ workload, ...source.status() }));
  stop.abort(new Error('done'));
  const ends = await Promise.all(running);
  expect(new Set(ends.map((end) => (end as Error).message))).toEqual(new Set(['done']));
  for (const { workload, joinTokenUses } of statuses) expect([workload, joinTokenUses]).toEqual([workload, 1]);

  await controlPlane.stop();
  const { issued } = readAudit(controlPlane.dataDir);
  const renewals = issued.filter(({ attestation }) => attestation === 'current-svid');
  const afterMs = renewals.flatMap(({ atMs }) => (atMs > goneMs ? atMs - backMs : [])).toSorted((a, b) => a - b);
  const most = Math.max(...afterMs.map((from) => afterMs.filter((ms) => ms >= from && ms < from + windowMs).length));
  return { most, issuedAfterwards: afterMs.length, afterMs };
}

async function createMember(controlPlane: ControlPlaneProcess, workload: string, token: string): Promise<Member> {
  const { address, trustBundle, trustDomain } = controlPlane;
  const [host = '', port] = address.split(':');
  const store = createIdentityStore();
  const source = await createControlPlaneIdentity({
    config: {
      kind: 'control-plane',
      address: { host, port: Number(port) },
      trustBundlePath: trustBundle,
      joinToken: { kind: 'stdin' },
      stateDir: undefined,
    },
    workload,
    trustDomain,
    agentVersion: 'test',
    ports: [],
    upstreams: [],
    store,
    readiness: createReadiness(store, systemClock),
    stdin: linesOf(token),
    onWorkloads: () => undefined,
    onTokenKeys: () => '',
    openPolicies: openNoPolicies,
    clock: systemClock,
    random: systemRandom,
    emit: () => undefined,
  });
  return { workload, store, source };
}
