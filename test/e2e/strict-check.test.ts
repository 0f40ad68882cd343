import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ToldCallers } from '#agent/admin/told-callers.ts';
import { startHttpApp } from '#support/apps.ts';
import { startReadyAgent } from '#support/agent-process.ts';
import { startControlPlaneProcess } from '#support/control-plane-process.ts';
import { freePorts, startMesh, type MeshProcess } from '#support/mesh-process.ts';
import { anyoneText } from '#support/plaintext-prices.ts';

const app = join(import.meta.dirname, '..', 'support', 'apps', 'echo.mjs');

async function permissiveMesh() {
  const [httpPort, tcpPort, http, tcp] = (await freePorts(4)) as [number, number, number, number];
  const mesh = await startMesh(`
name: echo
trustDomain: echo.example
workloads:
  - name: echo
    workers: 2
    run: [node, ${app}]
    env: { PORT: "${httpPort}", TCP_PORT: "${tcpPort}" }
    listens:
      - { port: ${httpPort}, listen: ${http}, mode: permissive }
      - { port: ${tcpPort}, protocol: tcp, listen: ${tcp}, mode: permissive }
`);
  return { mesh, http, tcp, ports: { http: httpPort, tcp: tcpPort } };
}

/** Applies a text as the operator would. */
async function apply(mesh: MeshProcess, text: string): Promise<void> {
  const file = join(mesh.folder, 'apply.yaml');
  writeFileSync(file, text);
  const applied = await mesh.eastwest('policy', 'apply', file, '--data-dir', join(mesh.stateDir, 'control-plane'));
  expect(applied).toMatchObject({ code: 0, stderr: '' });
}

test('from plaintext to strict, with the answer of each step (A63)', async () => {
  const started = await permissiveMesh();
  await using mesh = started.mesh;
  const { http, tcp, ports } = started;
  const ask = async (): Promise<number> => (await fetch(`http://127.0.0.1:${http}/hello?secret=1`)).status;
  const check = (...words: string[]) => mesh.eastwest('strict-check', ...words);
  expect(await ask(), 'no rule lets in whoever proves nothing').toBe(403);
  expect((await check('--for', '1ms')).code).toBe(0);

  await apply(mesh, anyoneText('rules: [{}]').replace('eastwest.dev/v1', 'security.istio.io/v1'));
  await expect.poll(ask, { timeout: 5_000 }).toBe(200);
  const line = connect(tcp, '127.0.0.1').on('error', () => undefined);
  line.write('hello\n');
  await once(line, 'data');
  // One worker or the other: each connection is somebody's.
  for (let count = 0; count < 8; count += 1) {
    await fetch(`http://127.0.0.1:${http}/hello`, { headers: { connection: 'close' } });
  }
  const breaks = await check();
  expect(breaks.code).toBe(1);
  expect(breaks.stdout).toContain(`port ${ports.http}: PERMISSIVE`);
  expect(breaks.stdout).toMatch(/127\.0\.0\.1: last \d+s ago, \d+ connections.*\d+ refused, HTTP\/1\.1, GET \/hello\n/);
  expect(breaks.stdout).not.toContain('secret');
  expect(breaks.stdout).toContain(
    `no: strict would break\n  127.0.0.1 at echo:${ports.http}\n  127.0.0.1 at echo:${ports.tcp}`,
  );
  const { agents } = JSON.parse((await check('--json')).stdout) as {
    agents: { ports: { wouldBreak: { admitted: number }[] }[] }[];
  };
  expect(agents[0]?.ports[0]?.wouldBreak[0]?.admitted).toBeGreaterThanOrEqual(9);

  const gone = new Promise((resolve) => line.once('close', resolve));
  await apply(
    mesh,
    `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: echo, namespace: default }
spec: { selector: { matchLabels: { app: echo } }, mtls: { mode: STRICT } }
`,
  );
  await gone;
  await expect.poll(() => ask().catch(() => 'cut')).toBe('cut');
  await expect
    .poll(async () => (await check()).stdout, { timeout: 20_000 })
    .toMatch(/yes: every port takes mTLS only already\n$/);
  expect((await check()).code).toBe(0);
}, 60_000);

test('what an agent observed lives through a restart, and a kill', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-ledger-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await using controlPlane = await startControlPlaneProcess('1m');
  await using web = await startHttpApp();
  const token = join(folder, 'prices.token');
  writeFileSync(token, await controlPlane.joinToken('prices'), { mode: 0o600 });
  const { address, trustBundle, trustDomain } = controlPlane;
  const start = () =>
    startReadyAgent({
      ...{ workload: 'prices', trustDomain },
      identity: { controlPlane: { address, trustBundle, joinToken: { file: token }, stateDir: join(folder, 'state') } },
      inbound: {
        listen: '127.0.0.1:0',
        ports: [{ port: 7002, app: web.at, listen: '127.0.0.1:0', mode: 'permissive' }],
      },
    });
  const runs: ToldCallers[] = [];
  for (const end of ['stop', 'kill', 'stop'] as const) {
    await using agent = await start();
    const { port } = await agent.address('port 7002');
    expect((await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).status).toBe(403);
    const told = async () => JSON.parse((await agent.ask('GET', '/plaintext-callers')).body) as ToldCallers;
    runs.push(await told());
    const kept = (): string => readFileSync(join(folder, 'state', 'plaintext-callers.json'), 'utf8');
    if (end === 'kill') await expect.poll(kept, { timeout: 10_000 }).toContain('"refused":2'); // every 2 s
    await agent[end]();
  }
  expect(runs.map(({ ports }) => ports[0]?.callers[0]?.refused)).toEqual([1, 2, 3]);
  expect(new Set(runs.map(({ ports }) => ports[0]?.sinceMs)).size).toBe(1);
}, 60_000);
