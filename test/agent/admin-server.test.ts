import type { ToldCallers } from '#agent/admin/told-callers.ts';
import { chmod, mkdtemp, mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { maxLabels } from '#agent/admin/labelled-counter.ts';
import { createCounters, type AgentCounters } from '#agent/admin/metrics.ts';
import { createReadiness } from '#agent/admin/readiness.ts';
import type { AdminActions } from '#agent/admin/routes.ts';
import { startAdmin } from '#agent/admin/server.ts';
import { parseAgentConfig } from '#agent/config.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import type { ToldDecision } from '#agent/policy/told-decision.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createTestCa } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ca = createTestCa({ nowMs });

async function shortDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'ew-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

interface Admin {
  readonly counters: AgentCounters;
  readonly calls: string[];
  readonly socket: string;
  readonly tcp: { host: string; port: number };
  block(): void;
  close(): Promise<void>;
}

/** What `GET /decisions/J7eKx0pW_2aQ` answers. */
const told = { decisionId: 'J7eKx0pW_2aQ', reason: 'no-rule-matches' } as ToldDecision;

const called: ToldCallers = {
  ...{ workload: 'prices', spiffeId: null, nowMs, document: null, unobserved: [], mtlsOnly: [7003] },
  ports: [],
};

function actionsFor(admin: string, parts: { counters?: AgentCounters; calls?: string[] } = {}) {
  const parsed = parseAgentConfig(
    `{"workload":"prices","trustDomain":"shop.example","identity":{"files":{"dir":"/certs"}},"admin":${admin}}`,
  );
  if (!parsed.ok) throw new Error(parsed.reason);
  const clock = createFakeClock(nowMs);
  const store = createIdentityStore();
  store.replace(identityOf(ca.leaf('prices'), { ca, nowMs }));
  const readiness = createReadiness(store, clock);
  const { counters = createCounters(), calls = [] } = parts;
  const source = { rotations: 4, skewMs: -7, controlPlane: 'connected', joinTokenUses: 1 } as const;
  const actions: AdminActions = {
    config: parsed.value,
    readiness: () => readiness.report(),
    facts: () =>
      Promise.resolve({
        workload: 'prices',
        ...{ identity: store.current(), source, readiness: readiness.report(), counters },
        ...{ workers: [], tokens: undefined },
      }),
    decision: (id) => Promise.resolve(id === told.decisionId ? told : undefined),
    plaintextCallers: () => Promise.resolve(called),
    drain: () => void calls.push('drain'),
    renew: () => void calls.push('renew'),
  };
  return { actions, readiness };
}

async function start(options: { reachableFrom?: string } = {}): Promise<Admin> {
  const socket = join(await shortDir(), 'run', 'agent.sock');
  const counters = createCounters();
  const calls: string[] = [];
  const config = { listen: '127.0.0.1:0', socket, ...options };
  const { actions, readiness } = actionsFor(JSON.stringify(config), { counters, calls });
  const server = await startAdmin(actions);
  onTestFinished(server.close);
  const block = () => readiness.block('starting', 'listeners are not open');
  return { counters, calls, socket, tcp: server.address!, block, close: server.close };
}

type Target = { host: string; port: number } | { socketPath: string };
interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Record<string, unknown>;
}

function ask(
  target: Target,
  line: string,
  extra: { headers?: Record<string, string>; body?: string } = {},
): Promise<Reply> {
  const [method = '', path = ''] = line.split(' ');
  return new Promise((resolve, reject) => {
    const sent = request({ ...target, method, path, headers: extra.headers ?? {}, agent: false }, (response) => {
      let body = '';
      response.on('data', (data) => (body += String(data)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
    });
    sent.on('error', reject);
    sent.end(extra.body);
  });
}

describe('the TCP port', () => {
  test('tells liveness, readiness with named blockers, and metrics', async () => {
    const { tcp, counters, block } = await start();
    expect(await ask(tcp, 'GET /livez')).toMatchObject({ status: 200, body: 'ok\n' });
    expect(JSON.parse((await ask(tcp, 'GET /readyz')).body)).toEqual({ ready: true, blockers: [], warnings: [] });
    block();
    const notReady = await ask(tcp, 'GET /readyz');
    expect(notReady.status).toBe(503);
    expect(JSON.parse(notReady.body)).toMatchObject({
      blockers: [{ name: 'starting', detail: 'listeners are not open' }],
    });
    counters.requests = 17;
    const metrics = await ask(tcp, 'GET /metrics');
    expect(metrics.headers['content-type']).toContain('text/plain');
    expect(metrics.body).toContain('eastwest_requests_total 17\n');
    expect(metrics.body).toContain('eastwest_ready 0\n');
    expect(await ask(tcp, 'HEAD /livez')).toMatchObject({ status: 200, body: '' });
  });

  test.each([
    'GET /config',
    'GET /status',
    'GET /decisions/J7eKx0pW_2aQ',
    'GET /plaintext-callers',
    'POST /drain',
    'POST /renew',
    'GET /',
    'GET /nothing',
    'GET /__proto__',
  ])('%s is not there (A64)', async (line) => {
    const { tcp, calls } = await start();
    expect((await ask(tcp, line)).status).toBe(404);
    expect(calls).toEqual([]);
  });

  test.each(['POST /livez', 'PUT /readyz', 'DELETE /metrics', 'OPTIONS /livez'])('%s is not allowed', async (line) => {
    const { tcp } = await start();
    expect(await ask(tcp, line)).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });

  test.each([
    ['127.0.0.1:15020', 200],
    ['localhost', 200],
    ['[::1]:80', 200],
    ['evil.example', 421],
    ['127.0.0.1.evil.example', 421],
    ['10.0.0.1', 421],
  ])('for host %s answers %i: a page that points its name here reads nothing', async (host, status) => {
    const { tcp } = await start();
    expect((await ask(tcp, 'GET /livez', { headers: { host } })).status).toBe(status);
  });

  test('opened to anywhere takes any address, still no name', async () => {
    const { tcp } = await start({ reachableFrom: 'anywhere' });
    expect((await ask(tcp, 'GET /livez', { headers: { host: '10.0.0.1:15020' } })).status).toBe(200);
    expect((await ask(tcp, 'GET /livez', { headers: { host: 'evil.example' } })).status).toBe(421);
  });

  test('takes no body', async () => {
    const { tcp } = await start();
    expect((await ask(tcp, 'GET /livez', { body: 'x', headers: { 'content-length': '1' } })).status).toBe(413);
    expect((await ask(tcp, 'GET /livez', { body: 'x', headers: { 'transfer-encoding': 'chunked' } })).status).toBe(413);
  });

  test('that is taken is a fault with a hint, and nothing stays open', async () => {
    const { tcp } = await start();
    const dir = await shortDir();
    const { actions } = actionsFor(JSON.stringify({ listen: `127.0.0.1:${tcp.port}`, socket: join(dir, 'a.sock') }));
    await expect(startAdmin(actions)).rejects.toMatchObject({ code: 'ADMIN_NOT_OPEN' });
    expect(await readdir(dir)).toEqual([]);
  });
});

describe('the Unix socket', () => {
  test('tells why a call was refused, by the ID of the decision (M8)', async () => {
    const { socket } = await start();
    const socketPath = { socketPath: socket };
    const reply = await ask(socketPath, 'GET /decisions/J7eKx0pW_2aQ');
    expect([reply.status, JSON.parse(reply.body)]).toEqual([200, told]);
    for (const line of ['GET /decisions/unknown', 'GET /decisions/', 'GET /decisions/../status', 'POST /decisions/a']) {
      expect((await ask(socketPath, line)).status, line).toBe(404);
    }
  });

  test('tells who called in plaintext', async () => {
    const { socket } = await start();
    const reply = await ask({ socketPath: socket }, 'GET /plaintext-callers');
    expect([reply.status, JSON.parse(reply.body)]).toEqual([200, called]);
  });

  test('is 0600 in a folder of its own and goes away with the agent (A64)', async () => {
    const { socket, close } = await start();
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
    expect((await stat(join(socket, '..'))).mode & 0o777).toBe(0o700);
    await close();
    await expect(stat(socket)).rejects.toThrow('ENOENT');
  });

  test('tells configuration and status, and acts', async () => {
    const { socket, calls, counters } = await start();
    counters.inboundDenied = 3;
    const target = { socketPath: socket };
    expect(JSON.parse((await ask(target, 'GET /config')).body)).toMatchObject({
      workload: 'prices',
      admin: { socket },
    });
    expect(JSON.parse((await ask(target, 'GET /status')).body)).toMatchObject({
      workload: 'prices',
      spiffeId: 'spiffe://shop.example/ns/default/sa/prices',
      ...{ generation: 1, rotations: 4, skewMs: -7, controlPlane: 'connected', ready: true, blockers: [] },
      counters: { requests: 0, failed: 0, denied: 0, resets: 0, streams: 0, inboundDenied: 3 },
    });
    expect((await ask(target, 'GET /drain')).status).toBe(405);
    expect((await ask(target, 'POST /drain')).status).toBe(202);
    expect((await ask(target, 'POST /renew')).status).toBe(202);
    expect(calls).toEqual(['drain', 'renew']);
  });

  test('nothing it tells holds a key (S41)', async () => {
    const { socket } = await start();
    for (const line of ['GET /config', 'GET /status', 'GET /metrics']) {
      expect((await ask({ socketPath: socket }, line)).body).not.toMatch(/PRIVATE KEY|privateKey|token":"/);
    }
  });

  test.each([0o770, 0o777, 0o1777])('in a folder with mode %o is refused (A64)', async (mode) => {
    const dir = await shortDir();
    await chmod(dir, mode);
    const { actions } = actionsFor(JSON.stringify({ socket: join(dir, 'a.sock') }));
    await expect(startAdmin(actions)).rejects.toMatchObject({ code: 'ADMIN_SOCKET_UNSAFE' });
  });

  test.each([
    ['a file', (path: string) => writeFile(path, 'precious')],
    ['a link', (path: string) => symlink('/etc/passwd', path)],
    ['a folder', (path: string) => mkdir(path)],
    [
      'the socket of a living agent',
      async (path: string) => {
        const other = createServer().listen(path);
        onTestFinished(() => void other.close());
      },
    ],
  ])('where %s lies already is refused, and that stays', async (_name, put) => {
    const path = join(await shortDir(), 'a.sock');
    await put(path);
    const { actions } = actionsFor(JSON.stringify({ socket: path }));
    await expect(startAdmin(actions)).rejects.toMatchObject({ code: 'ADMIN_SOCKET_UNSAFE' });
    expect(await readdir(join(path, '..'))).toEqual(['a.sock']);
  });

  test('too long a path is refused before the system cuts it', async () => {
    const { actions } = actionsFor(JSON.stringify({ socket: `/tmp/${'x'.repeat(100)}` }));
    await expect(startAdmin(actions)).rejects.toMatchObject({ code: 'ADMIN_SOCKET_UNSAFE' });
  });
});

test('the socket that a killed agent left behind is taken over', async () => {
  const { spawnSync } = await import('node:child_process');
  const path = join(await shortDir(), 'a.sock');
  const left = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', left]);
  expect((await stat(path)).isSocket()).toBe(true);
  const { actions } = actionsFor(JSON.stringify({ socket: path }));
  const server = await startAdmin(actions);
  expect((await ask({ socketPath: path }, 'GET /livez')).status).toBe(200);
  await server.close();
});

describe('labels (A74)', () => {
  test('are escaped', async () => {
    const { tcp, counters } = await start();
    counters.inboundRequestsByPeer.add('a"} 1\neastwest_forged 1\\');
    const { body } = await ask(tcp, 'GET /metrics');
    expect(body).toContain('{peer="a\\"} 1\\neastwest_forged 1\\\\"} 1\n');
    expect(body).not.toMatch(/^eastwest_forged/m);
  });

  test('are bounded in number and length: the rest is counted together', () => {
    const { requestsByPeer } = createCounters();
    for (let at = 0; at < maxLabels + 50; at += 1) requestsByPeer.add(`spiffe://shop.example/${at}`);
    requestsByPeer.add('x'.repeat(2000));
    requestsByPeer.add('spiffe://shop.example/0');
    const entries = new Map(requestsByPeer.entries());
    expect(entries.size).toBe(maxLabels + 1);
    expect(entries.get('other')).toBe(51);
    expect(entries.get('spiffe://shop.example/0')).toBe(2);
  });
});
