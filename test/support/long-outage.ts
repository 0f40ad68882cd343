import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { startAsker, type Asked } from './asker.ts';
import { readAudit } from './audit-of.ts';
import { startEchoMesh, type EchoMesh } from './echo-mesh.ts';
import { controlPlaneOf } from './outages.ts';
import { agentOf, type UpAgent } from './up-agent.ts';

export interface LongOutageStory {
  readonly svidLife: string;
  /** How long the control plane stays away after the last certificate has expired. */
  readonly pastExpiryMs: number;
}

type Sample = Awaited<ReturnType<UpAgent['readyz']>>;

/** Back so long before the first certificate expires. */
const inTimeMs = 900;
const recoverMs = 15_000;

/**
 * The control plane of `eastwest up` is frozen twice: until shortly before the first certificate expires, then until all
 * have expired. Returns how long traffic took to flow again after the second time.
 */
export async function longOutageStory({ svidLife, pastExpiryMs }: LongOutageStory): Promise<number> {
  await using mesh = await startEchoMesh(svidLife);
  await using asker = startAsker(mesh.ports.http, 30);
  const agents = ['cart', 'echo'].map((name) => agentOf(mesh, name));
  const pid = controlPlaneOf(mesh.pid);

  await backBeforeExpiry(mesh, agents, pid);
  expect(asker.answers.filter(({ status }) => status !== 200)).toEqual([]);

  process.kill(pid, 'SIGSTOP');
  const ends = await expiries(agents);
  const [firstEndMs, lastEndMs] = [Math.min(...ends), Math.max(...ends)];
  const samples = await watchReadiness(agents, lastEndMs + pastExpiryMs);
  const backMs = Date.now();
  process.kill(pid, 'SIGCONT');
  const wellMs = (await asker.allWell(2_000, recoverMs)) - backMs;

  expectOnlyGoodUntil(asker.answers, firstEndMs - 1_000);
  expectClearRefusals(asker.answers, { afterFirstMs: firstEndMs, afterLastMs: lastEndMs, backMs });
  for (const [index, agent] of agents.entries()) {
    const story = { notAfterMs: ends[index]!, samples: samples[index]! };
    expectToldInReadyz(agent.name, story);
    expectToldInLog(agent, story.notAfterMs);
    const { ready, joinTokenUses } = await agent.status();
    expect([agent.name, ready, joinTokenUses]).toEqual([agent.name, true, 1]); // of its new start
  }
  await mesh.stop();
  const { issued } = readAudit(join(mesh.stateDir, 'control-plane'));
  const joins = issued
    .filter(({ attestation }) => attestation === 'join-token')
    .map(({ spiffeId }) => nameOf(spiffeId));
  expect(joins.toSorted(), 'one token for each agent at the start, one after its expiry').toEqual([
    ...['cart', 'cart'],
    ...['echo', 'echo'],
  ]);
  return wellMs;
}

async function backBeforeExpiry(mesh: EchoMesh, agents: readonly UpAgent[], pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const before = await expiries(agents);
  await sleep(Math.min(...before) - inTimeMs - Date.now());
  process.kill(pid, 'SIGCONT');
  await sleep(inTimeMs + 500);
  const after = await Promise.all(agents.map((agent) => agent.status()));
  for (const { workload, ready, rotations, joinTokenUses } of after) {
    expect({ workload, ready, joinTokenUses }).toEqual({ workload, ready: true, joinTokenUses: 1 });
    expect(rotations).toBeGreaterThan(0);
  }
  expect(mesh.lines.filter((line) => line['event'] === 'part.crashed')).toEqual([]);
}

async function expiries(agents: readonly UpAgent[]): Promise<number[]> {
  return (await Promise.all(agents.map((agent) => agent.status()))).map(({ notAfterMs }) => notAfterMs!);
}

async function watchReadiness(agents: readonly UpAgent[], untilMs: number): Promise<Sample[][]> {
  return Promise.all(
    agents.map(async (agent) => {
      const samples: Sample[] = [];
      while (Date.now() < untilMs) {
        samples.push(await agent.readyz());
        await sleep(100);
      }
      return samples;
    }),
  );
}

function expectOnlyGoodUntil(answers: readonly Asked[], untilMs: number): void {
  const early = answers.filter(({ endedMs }) => endedMs < untilMs);
  expect(early.length).toBeGreaterThan(20);
  expect(early.filter(({ status }) => status !== 200)).toEqual([]);
}

/** Whose certificate has expired says 503 to its app; between the two expiries the other one may be the cause: 502. */
function expectClearRefusals(
  answers: readonly Asked[],
  at: { readonly afterFirstMs: number; readonly afterLastMs: number; readonly backMs: number },
): void {
  const whileAway = answers.filter(({ beganMs, endedMs }) => beganMs >= at.afterFirstMs && endedMs < at.backMs);
  const refusals = whileAway.filter(({ status }) => status !== 200);
  for (const { status, contentType, body } of refusals) {
    expect({ isOurs: [502, 503].includes(status), contentType }).toEqual({
      isOurs: true,
      contentType: 'application/problem+json',
    });
    expect(JSON.parse(body)).toMatchObject({ status, title: expect.any(String), decisionId: expect.any(String) });
  }
  const late = whileAway.filter(({ beganMs }) => beganMs > at.afterLastMs);
  expect(late.length).toBeGreaterThan(10);
  expect(new Set(late.map(({ status }) => status))).toEqual(new Set([503]));
  for (const { body } of late) expect(body).toContain('has expired and could not be renewed');
}

function expectToldInReadyz(
  name: string,
  { notAfterMs, samples }: { readonly notAfterMs: number; readonly samples: readonly Sample[] },
): void {
  const before = samples.filter(({ atMs }) => atMs < notAfterMs - 100);
  expect([name, ...new Set(before.map(({ code }) => code))]).toEqual([name, 200]);
  const warned = before.filter(({ report }) => report.warnings.length > 0);
  expect(warned.length, `${name} warned`).toBeGreaterThan(3);
  for (const { atMs, report } of warned) {
    expect(report.warnings).toMatchObject([{ name: 'svid-expiring', atMs: notAfterMs }]);
    expect(Math.abs(atMs + report.warnings[0]!.inMs - notAfterMs)).toBeLessThan(250);
  }
  const after = samples.filter(({ atMs }) => atMs > notAfterMs + 100);
  expect([name, ...new Set(after.map(({ code }) => code))]).toEqual([name, 503]);
  const blockers = new Set(after.flatMap(({ report }) => report.blockers.map((blocker) => blocker.name)));
  expect([name, ...blockers]).toContain('svid-expired');
}

/** While it was away, each failed renewal said for how long the certificate is still good. */
function expectToldInLog(agent: UpAgent, notAfterMs: number): void {
  const log = agent.log();
  const failed = log.filter((entry) => entry.event === 'svid.renewal-failed');
  const told = failed.filter(
    ({ time, validForMs }) => validForMs > 0 && Math.abs(Date.parse(time) + validForMs - notAfterMs) < 250,
  );
  expect(told.length, `${agent.name} told when its certificate expires`).toBeGreaterThan(0);
  expect(log.some(({ event, time }) => event === 'svid.expired' && Date.parse(time) >= notAfterMs)).toBe(true);
  expect(
    log.some((entry) => entry.event === 'agent.failed' && entry.hint?.includes(`eastwest token create ${agent.name}`)),
  ).toBe(true);
}

function nameOf(spiffeId: string): string {
  return spiffeId.slice(spiffeId.lastIndexOf('/') + 1);
}
