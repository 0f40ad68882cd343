import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeSecret } from '#control-plane/secret-text.ts';
import { unlock } from '#control-plane/ca/unlock.ts';
import { openStore } from '#control-plane/store/sqlite.ts';
import { freePorts, startMesh, type MeshProcess, type MeshSummary } from '#support/mesh-process.ts';
import { processesBelow } from '#support/processes.ts';
import { findSecrets, openFolders, readFolder, type Place } from '#support/secret-scan.ts';

const recorder = join(import.meta.dirname, '..', 'support', 'apps', 'recorder.mjs');
const sealingKey = join('control-plane', 'ca.key-encryption-key');
const publicRoots = join('control-plane', 'trust-bundle.pem');

describe('a mesh with rotating certificates, searched for keys, tokens and the CA’s sealing key (S41, M5, A39)', () => {
  let mesh: MeshProcess;
  const running: Place[] = [];
  const afterwards: Place[] = [];
  const known = new Map<string, Buffer>();

  beforeAll(async () => {
    mesh = await startRecorders();
    for (const workload of ['front', 'back']) {
      await mesh.until((line) => line['event'] === 'svid.rotated' && line['workload'] === workload, 30_000);
    }
    const token = await mesh.eastwest('token', 'create', 'front');
    known.set('join token (its secret part)', Buffer.from(token.stdout.trim().split('.')[2]!, 'base64url'));
    known.set('CA sealing key', readFileSync(join(mesh.stateDir, sealingKey)));
    const { stdout } = await mesh.eastwest('status', '--json');
    running.push(...readFolder(mesh.folder), ...processPlaces(mesh.pid));
    running.push(...(await agentPlaces(mesh.stateDir, JSON.parse(stdout) as MeshSummary)));
    running.push({ where: 'what up said', bytes: Buffer.from(mesh.output()) });
    const { code, summary } = await mesh.stop();
    expect({ code, failed: summary.failed, resets: summary.resets }, mesh.output()).toEqual({
      code: 0,
      failed: 0,
      resets: 0,
    });
    afterwards.push(...readFolder(mesh.folder), { where: 'what up said', bytes: Buffer.from(mesh.output()) });
    for (const [kind, scalar] of await caKeys(join(mesh.stateDir, 'control-plane'))) known.set(kind, scalar);
  }, 60_000);
  afterAll(() => mesh[Symbol.asyncDispose]());

  test('everything that was meant to be searched was searched', () => {
    const seen = running.map(({ where }) => where);
    for (const file of [
      '.eastwest/control-plane/store.sqlite',
      '.eastwest/control-plane/store.sqlite-wal',
      '.eastwest/logs/control-plane.log',
      '.eastwest/logs/front.agent.log',
      '.eastwest/logs/front.app.log',
      '.eastwest/agents/front.yaml',
      '.eastwest/run.json',
      'front.bytes',
      'back.bytes',
      'back.start',
    ]) {
      expect(seen).toContain(join(mesh.folder, file));
    }
    for (const path of ['/config', '/status', '/metrics', '/readyz']) expect(seen).toContain(`back ${path}`);
    expect([...known.keys()].toSorted()).toEqual([
      'CA sealing key',
      'intermediate’s private key',
      'join token (its secret part)',
      'root’s private key',
    ]);
    if (!existsSync('/proc/self/environ')) return console.warn('skipped: environments and command lines (needs /proc)');
    // up, its keeper, control plane, two agents, two apps
    expect(seen.filter((where) => where.startsWith('environment of')).length).toBeGreaterThanOrEqual(7);
    expect(seen.filter((where) => /^command line of .*(agent\/main|control-plane|recorder)/.test(where)).length).toBe(
      5,
    );
  });

  test('the apps’ records hold their callers’ names: they were really told something', () => {
    const told = readFileSync(join(mesh.folder, 'back.bytes'), 'latin1');
    expect(told).toContain('URI=spiffe://quiet.example/ns/default/sa/front');
    expect(told).toContain('a line\n');
  });

  test.each([
    ['while it runs', running],
    ['after it has ended', afterwards],
  ])('%s, the sealing key is in its own file and nothing else is anywhere', (_when, places) => {
    expect(places.length).toBeGreaterThan(10);
    const path = join(mesh.stateDir, sealingKey);
    expect(findSecrets(places, known)).toEqual([`CA sealing key in ${path}`]);
  });

  test('what lies in the state directory is 0600 in 0700 folders; the public roots alone are 0644', () => {
    expect(openFolders(mesh.stateDir)).toEqual([]);
    const modes = readFolder(mesh.stateDir).map(({ where, mode }) => [where.slice(mesh.stateDir.length + 1), mode]);
    const others = modes.filter(([, mode]) => mode !== 0o600);
    expect(others).toEqual([[publicRoots, 0o644]]);
    expect(statSync(join(mesh.stateDir, sealingKey)).mode & 0o777).toBe(0o600);
  });

  test.each([
    ['a join token at the end of a log', 'join token', () => Buffer.from(`started with ${makeSecret('ew1').text}\n`)],
    ['an agent’s key', 'PEM private key', () => newKey('pem')],
    ['the sealing key in base64', 'CA sealing key', () => Buffer.from(known.get('CA sealing key')!.toString('base64'))],
    ['the root’s key in hexadecimal', 'root’s private key', () => hexOf(known.get('root’s private key')!)],
  ])('in a copy of it, %s is found', (_what, kind, planted) => {
    const copy = mkdtempSync(join(tmpdir(), 'eastwest-planted-'));
    cpSync(join(mesh.stateDir, 'logs'), copy, { recursive: true });
    expect(findSecrets(readFolder(copy), known)).toEqual([]);
    const log = join(copy, 'back.agent.log');
    appendFileSync(log, planted());
    expect(findSecrets(readFolder(copy), known)).toContain(`${kind} in ${log}`);
    rmSync(copy, { recursive: true });
  });
});

describe('the search itself finds', () => {
  test.each([
    ['a PKCS#8 key', 'PKCS#8 EC private key', newKey('der')],
    ['a PKCS#8 key in base64', 'PKCS#8 EC private key', Buffer.from(newKey('der').toString('base64'))],
    [
      'a PKCS#8 key in base64 of something larger',
      'PKCS#8 EC private key',
      Buffer.from(Buffer.concat([Buffer.from('x'), newKey('der')]).toString('base64url')),
    ],
    ['a PKCS#8 key in hexadecimal', 'PKCS#8 EC private key', hexOf(newKey('der'))],
    ['a PEM file in a JSON string', 'PKCS#8 EC private key', Buffer.from(JSON.stringify(newKey('pem').toString()))],
    ['a SEC1 key', 'SEC1 P-256 private key', newKey('sec1')],
    ['a JWK', 'JWK private key', newKey('jwk')],
    ['a join token in the middle of a line', 'join token', Buffer.from(`["${makeSecret('ew1').text}"]`)],
    ['known bytes among others', 'known', Buffer.concat([randomBytes(99), Buffer.from('0123456789abcdef')])],
    ['known bytes in wrapped base64', 'known', Buffer.from('eHh4MDEyMzQ1\nNjc4OWFiY2RlZg==')],
  ])('%s', (_form, kind, bytes) => {
    const known = new Map([['known', Buffer.from('0123456789abcdef')]]);
    expect(findSecrets([{ where: 'here', bytes }], known)).toContain(`${kind} in here`);
  });

  test.each([
    [
      'a public key',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' }),
    ],
    ['random bytes', randomBytes(1_000_000)],
    ['a token’s identifier alone', Buffer.from(`token ${makeSecret('ew1').id}`)],
  ])('nothing in %s', (_what, bytes) => {
    expect(findSecrets([{ where: 'here', bytes }])).toEqual([]);
  });
});

/** front → back over HTTP and TCP; both write down all they get to know, into the mesh’s folder. */
async function startRecorders(): Promise<MeshProcess> {
  const [front, back, backTcp, toBack, toBackTcp] = (await freePorts(5)) as [number, number, number, number, number];
  return startMesh(`
name: quiet
svidLife: 5s
workloads:
  - name: front
    run: [node, ${recorder}]
    env: { PORT: "${front}", CALLS: "${toBack}", CALLS_TCP: "${toBackTcp}", RECORD: front }
    listens: [{ port: ${front} }]
    calls:
      - { to: back, port: ${back}, listen: ${toBack} }
      - { to: back, port: ${backTcp}, listen: ${toBackTcp} }
  - name: back
    run: [node, ${recorder}]
    env: { PORT: "${back}", TCP_PORT: "${backTcp}", RECORD: back }
    listens: [{ port: ${back} }, { port: ${backTcp}, protocol: tcp }]
traffic: [{ url: "http://127.0.0.1:${front}/", perSecond: 10 }]
`);
}

/** Environment and command line of `up` and of everything below it. */
function processPlaces(up: number): Place[] {
  if (!existsSync('/proc/self/environ')) return [];
  const processes = [{ pid: up, words: ['up'] }, ...processesBelow(up)];
  return processes.flatMap(({ pid, words }) => {
    const name = `${pid} ${words.join(' ')}`;
    try {
      return [
        { where: `environment of ${name}`, bytes: readFileSync(`/proc/${pid}/environ`) },
        { where: `command line of ${name}`, bytes: readFileSync(`/proc/${pid}/cmdline`) },
      ];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

/** All that the agents tell, through both doors. */
async function agentPlaces(stateDir: string, { workloads }: MeshSummary): Promise<Place[]> {
  const { socket } = JSON.parse(readFileSync(join(stateDir, 'run.json'), 'utf8')) as { socket: string };
  const asked = workloads.flatMap(({ name, ports }) => {
    const [host = '', port = ''] = String(ports['admin']).split(':');
    const socketPath = join(dirname(socket), `${name}.sock`);
    return [
      ...['/config', '/status'].map((path) => ask(`${name} ${path}`, { socketPath, path })),
      ...['/metrics', '/readyz'].map((path) => ask(`${name} ${path}`, { host, port, path })),
    ];
  });
  return Promise.all(asked);
}

function ask(
  where: string,
  target: { socketPath?: string; host?: string; port?: string; path: string },
): Promise<Place> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...target, agent: false }, (answer) => {
      const pieces: Buffer[] = [Buffer.from(JSON.stringify(answer.rawHeaders))];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve({ where, bytes: Buffer.concat(pieces) });
        else reject(new Error(`${where}: ${answer.statusCode}`));
      });
    });
    sent.on('error', reject).end();
  });
}

/** The secret numbers of the CA’s keys, unsealed as the control plane does at its start; it must have ended. */
async function caKeys(dataDir: string): Promise<[what: string, scalar: Buffer][]> {
  using store = disposable(openStore(join(dataDir, 'store.sqlite')));
  const { sealer } = await unlock(store.value, dataDir, { kind: 'generated' });
  return store.value.authorities().map(({ kind, certificateDer, sealedKey }) => {
    const opened = sealer.open(sealedKey, `eastwest ca key of ${certificateDer.toString('base64')}`);
    if (!opened.ok) throw new Error(opened.reason);
    const scalarAt = opened.value.indexOf(Buffer.from('0201010420', 'hex')) + 5;
    return [`${kind}’s private key`, opened.value.subarray(scalarAt, scalarAt + 32)];
  });
}

function disposable<T extends { close(): void }>(value: T): Disposable & { readonly value: T } {
  return { value, [Symbol.dispose]: () => value.close() };
}

function newKey(form: 'pem' | 'der' | 'sec1' | 'jwk'): Buffer {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (form === 'jwk') return Buffer.from(JSON.stringify(privateKey.export({ format: 'jwk' })));
  if (form === 'pem') return Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return privateKey.export({ type: form === 'sec1' ? 'sec1' : 'pkcs8', format: 'der' });
}

function hexOf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('hex'));
}
