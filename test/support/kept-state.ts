import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { startAgent, startReadyAgent, type AgentProcess } from './agent-process.ts';
import { readAudit } from './audit-of.ts';
import { startControlPlaneProcess, type ControlPlaneProcess } from './control-plane-process.ts';

export interface KeptStateStory {
  readonly svidLifeMs: number;
  /** How often the agent is killed while its SVID is valid, each time at a random moment of its first `withinMs`. */
  readonly kills: number;
  readonly withinMs: number;
}

interface Place extends Disposable {
  readonly stateDir: string;
  readonly tokenFile: string;
}

/**
 * An agent by itself that keeps its identity in `stateDir`: killed, again and again; then killed and left until its SVID
 * has expired. Returns how many join tokens were spent in all.
 */
export async function keptStateStory({ svidLifeMs, kills, withinMs }: KeptStateStory): Promise<number> {
  await using controlPlane = await startControlPlaneProcess(`${svidLifeMs}ms`);
  using place = createPlace();
  const config = agentConfig(controlPlane, place);
  writeFileSync(place.tokenFile, await controlPlane.joinToken('prices'), { mode: 0o600 });
  const first = await startReadyAgent(config.withToken);
  expect((await first.status()).joinTokenUses).toBe(1);
  let notAfterMs = await killAt(first, withinMs * Math.random());
  rmSync(place.tokenFile);

  for (let kill = 0; kill < kills; kill += 1) {
    const again = await startReadyAgent(config.withoutToken);
    const resumed = await again.event('svid.resumed');
    expect(resumed.validForMs).toBeGreaterThan(0);
    expectOursAlone(place.stateDir);
    notAfterMs = await killAt(again, withinMs * Math.random());
  }

  await sleep(notAfterMs + 100 - Date.now());
  await using late = startAgent(config.withoutToken);
  expect(await late.ended).toBe(1);
  expect(await late.event('state.refused')).toMatchObject({ reason: 'expired' });
  const { hint } = await late.event('agent.failed');
  expect(hint).toContain('`eastwest token create prices`');
  expect(late.notes.join('\n')).toContain('eastwest token create prices');

  writeFileSync(place.tokenFile, await controlPlane.joinToken('prices'), { mode: 0o600 });
  await using healed = await startReadyAgent(config.withToken);
  expect((await healed.status()).joinTokenUses).toBe(1);
  await healed.stop();
  await controlPlane.stop();
  const { chain, issued } = readAudit(controlPlane.dataDir);
  expect(chain.ok).toBe(true);
  expect(issued.filter(({ attestation }) => attestation === 'current-svid').length).toBeGreaterThan(0);
  return issued.filter(({ attestation }) => attestation === 'join-token').length;
}

/** Kills it after `ms`; returns until when the SVID that it last told of is good. */
async function killAt(agent: AgentProcess, ms: number): Promise<number> {
  await sleep(ms);
  await agent.kill();
  const ends = agent.events.flatMap((event) =>
    event.event === 'svid.issued' || event.event === 'svid.rotated'
      ? event.notAfterMs
      : event.event === 'svid.resumed'
        ? Date.parse(event.time) + event.validForMs
        : [],
  );
  await agent[Symbol.asyncDispose]();
  return ends.at(-1)!;
}

/** 0700 and 0600, and nothing else than what it keeps. Policies are written within a second of their coming. */
function expectOursAlone(stateDir: string): void {
  const files = readdirSync(stateDir).filter((name) => !name.endsWith('.tmp'));
  expect(files).toContain('identity.json');
  expect(['identity.json', 'policies.json']).toEqual(expect.arrayContaining(files));
  const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
  expect(modeOf(stateDir)).toBe('700');
  for (const name of files) expect(modeOf(join(stateDir, name)), name).toBe('600');
}

function createPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-kept-'));
  chmodSync(folder, 0o700);
  return {
    stateDir: join(folder, 'state'),
    tokenFile: join(folder, 'prices.token'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function agentConfig({ address, trustBundle, trustDomain }: ControlPlaneProcess, { stateDir, tokenFile }: Place) {
  const common = { workload: 'prices', trustDomain, inbound: { listen: '127.0.0.1:0', ports: [{ port: 7002 }] } };
  const controlPlane = { address, trustBundle, stateDir };
  return {
    withToken: { ...common, identity: { controlPlane: { ...controlPlane, joinToken: { file: tokenFile } } } },
    withoutToken: { ...common, identity: { controlPlane } },
  };
}
