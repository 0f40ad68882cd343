import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { startAsker } from './asker.ts';
import { readAudit, repeated } from './audit-of.ts';
import { startEchoMesh } from './echo-mesh.ts';
import { processesBelow, type FoundProcess } from './processes.ts';

export interface KillStory {
  readonly kills: number;
  /** Before each kill, a random wait within these bounds. */
  readonly pauseMs: readonly [from: number, to: number];
}

/** After the last kill: the longest wait of the supervisor before it starts anything again, and a start. */
const recoverMs = 30_000;

/** `eastwest up` under light traffic; its control plane and its agents are killed at random moments, whatever they do then. */
export async function killStory({ kills, pauseMs: [from, to] }: KillStory): Promise<Record<string, number>> {
  await using mesh = await startEchoMesh('10s');
  await using asker = startAsker(mesh.ports.http, 50);
  const dataDir = join(mesh.stateDir, 'control-plane');
  const readBundle = (): string => readFileSync(join(dataDir, 'trust-bundle.pem'), 'utf8');
  const bundle = readBundle();
  const killed = { controlPlane: 0, agents: 0 };
  while (killed.controlPlane + killed.agents < kills) {
    await sleep(from + (to - from) * Math.random());
    const running = processesBelow(mesh.pid);
    const part = Math.floor(Math.random() * 3);
    const target = part === 0 ? running.find(isControlPlane) : running.filter(isAgent)[part - 1];
    if (target === undefined) continue; // it is waiting for its next start
    process.kill(target.pid, 'SIGKILL');
    killed[part === 0 ? 'controlPlane' : 'agents'] += 1;
  }
  const startedMs = Date.now();
  const wellMs = (await asker.allWell(3_000, recoverMs)) - startedMs;
  await allRun(mesh.pid, startedMs + recoverMs);
  expect(readBundle()).toBe(bundle);
  const crashed = mesh.lines.filter((line) => line['event'] === 'part.crashed');
  await mesh.stop();
  const tokens = expectSoundRecords(dataDir);
  const byKill = crashed.filter((line) => (line['exit'] as { signal?: string } | null)?.signal === 'SIGKILL');
  expect(byKill).toHaveLength(kills);
  const answered = asker.answers.filter(({ status }) => status === 200).length;
  return { ...killed, crashes: crashed.length, tokens, answered, asked: asker.answers.length, wellMs };
}

/** Traffic can be well before all parts run: agents need no control plane for it, and its next start may still be due. */
async function allRun(pid: number, deadlineMs: number): Promise<void> {
  for (;;) {
    const parts = processesBelow(pid).filter((found) => isControlPlane(found) || isAgent(found));
    if (parts.length === 3) return;
    if (Date.now() >= deadlineMs) throw new Error(`${parts.length} of 3 parts run ${recoverMs} ms after the last kill`);
    await sleep(100);
  }
}

/** One CA, an unbroken chain, no serial and no join token twice. Returns how many join tokens were spent. */
function expectSoundRecords(dataDir: string): number {
  const { chain, entries, issued, authorities } = readAudit(dataDir);
  expect(chain).toMatchObject({ ok: true });
  expect(authorities).toBe(2);
  expect(entries.filter(({ kind }) => kind === 'authority-created')).toHaveLength(2);
  expect(repeated(issued.map(({ serial }) => serial))).toEqual([]);
  expect(repeated(issued.map(({ keyThumbprint }) => keyThumbprint))).toEqual([]);
  const tokens = issued.flatMap(({ tokenId }) => tokenId ?? []);
  expect(repeated(tokens)).toEqual([]);
  expect(issued.filter(({ attestation }) => attestation === 'join-token')).toHaveLength(tokens.length);
  return tokens.length;
}

function isControlPlane({ words }: FoundProcess): boolean {
  return words.includes('control-plane');
}

/** Also while it still reads its configuration. */
function isAgent({ words }: FoundProcess): boolean {
  return words.includes('agent') || words.some((word) => /\bagent\/main\.[jt]s$/.test(word));
}
