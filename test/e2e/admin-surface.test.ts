import { chmodSync, lstatSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { maxLabels } from '#agent/admin/labelled-counter.ts';
import type { Address } from '#agent/config-types.ts';
import { freePort, startAgent, startReadyAgent, type AdminAnswer, type AgentProcess } from '#support/agent-process.ts';
import { createIdentityFolder, type IdentityFolder } from '#support/identity-folder.ts';
import { createTestCa } from '#support/test-ca.ts';

let identity: IdentityFolder;
const ca = createTestCa({ nowMs: Date.now() });

beforeAll(() => {
  identity = createIdentityFolder();
  identity.write(ca.leaf('cart'), [ca]);
});
afterAll(() => identity[Symbol.dispose]());

/** An agent that only has an admin surface and an HTTP proxy for its app. */
const config = (admin: object = {}) => ({
  workload: 'cart',
  trustDomain: 'shop.example',
  identity: { files: { dir: identity.path } },
  outbound: { httpProxy: { listen: '127.0.0.1:0' }, unknown: 'passthrough' },
  admin: { listen: '127.0.0.1:0', ...admin },
});

describe('the admin surface of a running agent (A64)', () => {
  let agent: AgentProcess;
  let tcp: Address;

  beforeAll(async () => {
    agent = await startReadyAgent(config());
    tcp = await agent.address('admin');
  });
  afterAll(() => agent[Symbol.asyncDispose]());

  test.each(['/livez', '/readyz', '/metrics'])('GET %s is answered by both doors', async (path) => {
    expect((await askTcp(tcp, { path })).status).toBe(200);
    expect((await agent.ask('GET', path)).status).toBe(200);
  });

  test.each([
    ['GET', '/config', 200],
    ['GET', '/status', 200],
    ['POST', '/renew', 202],
  ] as const)('%s %s is answered by the socket, and the TCP port knows nothing of it', async (method, path, status) => {
    expect((await agent.ask(method, path)).status).toBe(status);
    for (const tried of ['GET', 'POST', 'PUT', 'DELETE']) {
      expect((await askTcp(tcp, { method: tried, path })).status, tried).toBe(404);
    }
  });

  test.each([
    '/drain',
    '//drain',
    '/./drain',
    '/livez/../drain',
    '/DRAIN',
    '/drain?x',
    '/%64rain',
    'http://127.0.0.1/drain',
  ])('POST %s over TCP drains nothing', async (path) => {
    expect((await askTcp(tcp, { method: 'POST', path })).status).toBeGreaterThanOrEqual(400);
    expect(await agent.status()).toMatchObject({ ready: true, blockers: [] });
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE'])('%s is not a way to ask the TCP port', async (method) => {
    const reply = await askTcp(tcp, { method, path: '/readyz' });
    expect([reply.status, reply.headers['allow']]).toEqual([405, 'GET, HEAD']);
  });

  test.each([
    ['127.0.0.1', 200],
    ['localhost:80', 200],
    ['[::1]', 200],
    ['evil.example', 421],
    ['127.0.0.1.evil.example', 421],
    ['localhost.evil.example:15020', 421],
    ['127.0.0.1@evil.example', 421],
    ['10.0.0.1', 421],
  ])('Host: %s over TCP is answered %i: a web page that rebinds its name learns nothing', async (host, status) => {
    const reply = await askTcp(tcp, { path: '/metrics', host });
    expect(reply.status).toBe(status);
    if (status === 421) expect(reply.body).not.toContain('eastwest_');
  });

  test.each(['GET /metrics HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n', 'GET /metrics HTTP/1.0\r\n\r\n'])(
    'without a host it is answered 421: %j',
    async (head) => {
      expect(await sayTo(tcp, head)).toMatch(/^HTTP\/1\.1 421 /);
    },
  );

  test('the TCP port is open on loopback alone', async () => {
    const others = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
    for (const { address, internal, family } of others) {
      if (internal || family !== 'IPv4') continue;
      expect(await reach({ host: address, port: tcp.port }), address).toBe('refused');
    }
    expect(await reach(tcp)).toBe('connected');
  });

  test('the socket is 0600 in a folder that others cannot enter', () => {
    const socket = lstatSync(join(agent.folder, 'agent.sock'));
    expect([socket.isSocket(), (socket.mode & 0o777).toString(8)]).toEqual([true, '600']);
    expect((statSync(agent.folder).mode & 0o077).toString(8)).toBe('0');
  });

  test('no key is told by any of them (A39)', async () => {
    const answers = await Promise.all(
      ['/config', '/status', '/metrics', '/readyz'].map((path) => agent.ask('GET', path)),
    );
    const key = readFileSync(join(identity.path, 'tls.key'), 'latin1').split('\n')[1]!;
    const told = [...answers.map(({ body }) => body), JSON.stringify(agent.events), ...agent.notes].join('\n');
    expect(told).not.toContain(key);
    expect(told).not.toContain('PRIVATE KEY');
  });
});

describe('an agent does not start with an admin surface that is not its own (A64)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-socket-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const socket = join(folder, 'agent.sock');

  test('a symbolic link at the socket’s path is refused, and what it points to is untouched', async () => {
    const target = join(folder, 'precious');
    writeFileSync(target, 'mine');
    symlinkSync(target, socket);
    expect(await refusal({ socket })).toContain('is there and is no socket');
    expect([readFileSync(target, 'utf8'), lstatSync(socket).isSymbolicLink()]).toEqual(['mine', true]);
    rmSync(socket);
  });

  test('a link to where nothing is yet is refused as well', async () => {
    symlinkSync(join(folder, 'elsewhere'), socket);
    expect(await refusal({ socket })).toContain('is there and is no socket');
    rmSync(socket);
  });

  test('a file at the socket’s path is refused and kept', async () => {
    writeFileSync(socket, 'mine');
    expect(await refusal({ socket })).toContain('is there and is no socket');
    expect(readFileSync(socket, 'utf8')).toBe('mine');
    rmSync(socket);
  });

  test('a folder that others may write is refused', async () => {
    chmodSync(folder, 0o777);
    expect(await refusal({ socket })).toContain('others may replace files in');
    chmodSync(folder, 0o700);
  });

  test('a TCP address beyond loopback is refused, unless asked for', async () => {
    expect(await refusal({ listen: '0.0.0.0:0' })).toContain('admin.reachableFrom: anywhere');
  });

  test('the socket of a running agent is refused; the one that kill -9 left behind is taken over', async () => {
    const first = await startReadyAgent(config({ socket }));
    expect(await refusal({ socket })).toContain('is in use');
    expect((await first.status()).ready).toBe(true);
    await first.kill();
    expect(lstatSync(socket).isSocket()).toBe(true);
    await using second = await startReadyAgent(config({ socket }));
    expect(await second.status()).toMatchObject({ workload: 'cart', ready: true });
    await first[Symbol.asyncDispose]();
  });

  /** What an agent says that ends at once, with exit code 1. */
  async function refusal(admin: object): Promise<string> {
    await using agent = startAgent(config(admin));
    expect(await agent.ended).toBe(1);
    expect(agent.events.some(({ event }) => event === 'agent.ready')).toBe(false);
    return agent.notes.join('\n');
  }
});

test('POST /drain on the socket ends the agent in order, and /readyz says so meanwhile', async () => {
  await using agent = await startReadyAgent(config());
  const proxy = await agent.address('http-proxy');
  const busy = connect(proxy.port, proxy.host); // an app that is still connected
  busy.write(`GET http://127.0.0.1:${await freePort()}/ HTTP/1.1\r\n`);
  await once(busy, 'connect');
  expect((await agent.ask('POST', '/drain')).status).toBe(202);
  await agent.event('agent.draining');
  const ready = await agent.ask('GET', '/readyz');
  expect(ready.status).toBe(503);
  expect(JSON.parse(ready.body)).toMatchObject({ ready: false, blockers: [{ name: 'draining' }] });
  busy.destroy();
  expect(await agent.ended).toBe(0);
  expect(lstatSync(join(agent.folder, 'agent.yaml')).isFile()).toBe(true);
  expect(() => lstatSync(join(agent.folder, 'agent.sock'))).toThrow('ENOENT');
});

describe('what strangers name', () => {
  test('is no label of a metric, and one JSON line in the log (A74)', async () => {
    await using agent = await startReadyAgent(config());
    const app = createServer((_request, response) => response.end('ok')).listen(0, '0.0.0.0');
    await once(app, 'listening');
    const { port } = app.address() as AddressInfo;
    const proxy = await agent.address('http-proxy');
    for (let n = 1; n <= maxLabels + 30; n += 1) {
      const authority = `127.0.${n >> 7}.${(n & 127) + 1}:${port}`;
      expect(
        await sayTo(proxy, `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`),
      ).toMatch(/^HTTP\/1\.1 200/);
    }
    const nasty = [
      'a"} 1\\n',
      'a\\"b',
      'a{peer="x"}',
      'a\tb',
      `${'x'.repeat(5_000)}`,
      '\u00e9\u0000',
      'a"\nfake_metric 1',
    ];
    for (const host of nasty) {
      await sayTo(proxy, `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      await sayTo(
        proxy,
        `GET http://127.0.0.1:1/${host} HTTP/1.1\r\nHost: 127.0.0.1:1\r\nX-A: ${host}\r\nConnection: close\r\n\r\n`,
      );
    }
    const { body } = await agent.ask('GET', '/metrics');
    const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const label = /[a-z]+="(?:[^"\\\n]|\\[\\n"])*"/.source;
    const form = new RegExp(`^eastwest_[a-z_]+(\\{${label}(,${label})*\\})? -?[0-9.e+-]+$`);
    for (const line of lines) expect(line).toMatch(form);
    const peers = lines.filter((line) => line.startsWith('eastwest_requests_by_peer_total'));
    expect(peers, 'a name that is no workload’s has no label').toEqual([
      `eastwest_requests_by_peer_total{peer="unknown"} ${maxLabels + 30}`,
    ]);
    const failures = lines.filter((line) => line.startsWith('eastwest_failures_total'));
    expect(new Set(failures.map((line) => /peer="([^"]*)"/.exec(line)?.[1]))).toEqual(new Set(['unknown']));
    expect(agent.notes, 'every line of the log is one event').toEqual([]);
    expect(agent.events.every(({ workload }) => workload === 'cart')).toBe(true);
    app.close();
    app.closeAllConnections();
  });
});

function askTcp(to: Address, what: { method?: string; path: string; host?: string }): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { host: what.host ?? '127.0.0.1' };
    const options = { ...to, path: what.path, method: what.method ?? 'GET', headers, agent: false as const };
    const sent = request(options, (response: IncomingMessage) => {
      let body = '';
      response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    sent.on('error', reject).end();
  });
}

/** Sends bytes and returns all that comes back until the connection ends. */
function sayTo(to: Address, text: string): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(to.port, to.host, () => socket.write(text, 'latin1'));
    socket.setEncoding('latin1').on('data', (piece: string) => (said += piece));
    socket.on('error', () => undefined).on('close', () => resolve(said));
  });
}

function reach({ host, port }: Address): Promise<'connected' | 'refused'> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => resolve('connected')).once('error', () => resolve('refused'));
    socket.once('connect', () => socket.destroy());
  });
}
