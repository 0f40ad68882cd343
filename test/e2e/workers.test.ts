import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { AgentStatus } from '#agent/admin/status.ts';
import { freePort, startAgent, startReadyAgent, type AgentProcess } from '#support/agent-process.ts';
import { holdGrpcStreams } from '#support/grpc-streams.ts';
import { createIdentityFolder, type IdentityFolder } from '#support/identity-folder.ts';
import { runLoad } from '#support/load.ts';
import { freePorts, startMesh } from '#support/mesh-process.ts';
import { startStandaloneMesh } from '#support/standalone-mesh.ts';
import { createTestCa } from '#support/test-ca.ts';
import { createWorkerTrap } from '#support/worker-trap.ts';

describe('a pair of agents with two workers each', () => {
  test('carries HTTP/1.1, WebSocket, gRPC and TCP in all of them while 5 s certificates rotate, and nothing fails (S5)', async () => {
    await using mesh = await startStandaloneMesh('5s', { whenExpired: 'end', workers: 2 });
    const forMs = 15_000;
    const { counters: early } = await mesh.cart.status(); // calls before cart knew where echo is
    const [load, grpc] = await Promise.all([
      runLoad({
        forMs,
        http: { port: mesh.ports.http, perSecond: 150 },
        webSockets: { port: mesh.ports.http, count: 6 },
        tcp: { port: mesh.ports.tcp, count: 6 },
      }),
      holdGrpcStreams({ forMs, port: mesh.ports.grpc, count: 20 }),
    ]);
    expect({
      failures: load.failures.slice(0, 5),
      resets: [...load.resets, ...grpc.resets].slice(0, 5),
      damaged: [...load.damaged, ...grpc.damaged].slice(0, 5),
    }).toEqual({ failures: [], resets: [], damaged: [] });
    for (const agent of [mesh.cart, mesh.echo]) {
      const { counters, rotations, workers, ready } = await agent.status();
      expect({ rotations: rotations >= 3, ready, workers: workers.length }).toEqual({
        ...{ rotations: true, ready: true, workers: 2 },
      });
      expect(counters).toMatchObject({ denied: 0, resets: 0, inboundFailed: 0, handshakesRefused: 0 });
      expect(counters.failed).toBe(agent === mesh.cart ? early.failed : 0);
      for (const { requests, inboundRequests, streams } of workers) {
        expect(requests + inboundRequests + streams, 'each of them carried something').toBeGreaterThan(10);
      }
      await expectSums(agent);
    }
    await expectDrain(mesh.echo, mesh.ports.http);
    expect(await mesh.cart.stop()).toBe(0);
  }, 60_000);
});

/** What `/metrics` and `/status` tell of the agent is what its workers tell together. */
async function expectSums(agent: AgentProcess): Promise<void> {
  const { counters, workers } = await agent.status();
  const { body } = await agent.ask('GET', '/metrics');
  const metric = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(body)?.[1]);
  const sum = (count: (worker: AgentStatus['workers'][number]) => number): number =>
    workers.reduce((all, worker) => all + count(worker), 0);
  expect(counters.requests).toBe(sum(({ requests }) => requests));
  expect(metric('eastwest_requests_total')).toBe(counters.requests);
  expect(metric('eastwest_inbound_requests_total')).toBe(sum(({ inboundRequests }) => inboundRequests));
  expect(metric('eastwest_streams_total')).toBe(sum(({ streams }) => streams));
}

/** A request that runs when the agent is told to stop comes to its end, and so does the agent. */
async function expectDrain(agent: AgentProcess, port: number): Promise<void> {
  const { counters: before } = await agent.status();
  const sent = request({ port, host: '127.0.0.1', method: 'POST', path: '/slow' });
  sent.write('begun, ');
  await vi.waitUntil(async () => (await agent.status()).counters.inboundRequests > before.inboundRequests);
  const ended = agent.stop();
  await agent.event('agent.draining');
  sent.end('ended');
  const [reply] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const piece of reply) text += String(piece);
  const { body } = JSON.parse(text) as { body: string };
  expect([reply.statusCode, Buffer.from(body, 'base64').toString()]).toEqual([200, 'begun, ended']);
  expect(await ended).toBe(0);
}

describe('what can happen to a worker', () => {
  let identity: IdentityFolder;
  const ca = createTestCa({ nowMs: Date.now() });

  beforeAll(() => {
    identity = createIdentityFolder();
    identity.write(ca.leaf('cart'), [ca]);
  });
  afterAll(() => identity[Symbol.dispose]());

  const config = (proxyPort = 0) => ({
    workload: 'cart',
    trustDomain: 'shop.example',
    identity: { files: { dir: identity.path } },
    outbound: { httpProxy: { listen: `127.0.0.1:${proxyPort}` } },
    admin: { listen: '127.0.0.1:0' },
    workers: 2,
  });

  test.each([
    ['throw', 'the trap has closed'],
    ['exit', 'exit code 0'],
  ] as const)('one that ends by itself (%s) ends the agent with exit code 1, which says why', async (how, why) => {
    using trap = createWorkerTrap(2);
    await using agent = await startReadyAgent(config(), trap.env);
    trap.close(how);
    expect(await agent.ended).toBe(1);
    const failed = await agent.event('agent.failed');
    expect(failed.error).toBe(`WORKER_ENDED worker 2 ended by itself: ${why}`);
  });

  test('one that stands still is told of, takes the agent out of service, and holds nobody up', async () => {
    using trap = createWorkerTrap(1);
    await using agent = await startReadyAgent(config(), trap.env);
    trap.close({ stallMs: 9_000 });
    expect((await agent.event('worker.silent')).worker).toBe(1);
    const ready = await agent.ask('GET', '/readyz');
    const blockers = [{ name: 'worker-silent', detail: 'no answer from worker 1 of 2' }];
    expect([ready.status, JSON.parse(ready.body)]).toEqual([503, { ready: false, blockers, warnings: [] }]);
    const askedMs = performance.now();
    const { workers } = await agent.status();
    expect(performance.now() - askedMs).toBeLessThan(2_000);
    expect(workers.map(({ state }) => state)).toEqual(['silent', 'answers']);
    expect((await agent.ask('GET', '/metrics')).body).toContain('\neastwest_workers_silent 1\n');
    await agent.event('worker.answers');
    expect(await agent.status()).toMatchObject({ ready: true, workers: [{ state: 'answers' }, { state: 'answers' }] });
    expect(await agent.stop()).toBe(0);
  }, 30_000);

  test('an agent that stands still in one worker when it is told to stop ends at its deadline', async () => {
    using trap = createWorkerTrap(2);
    await using agent = await startReadyAgent({ ...config(), drain: '3s' }, trap.env);
    const proxy = await agent.address('http-proxy');
    const callers = Array.from({ length: 16 }, () => connect(proxy.port, proxy.host));
    await Promise.all(callers.map((caller) => once(caller, 'connect')));
    await vi.waitUntil(async () => (await agent.status()).workers.every(({ connections }) => connections.outbound > 0));
    trap.close({ stallMs: 20_000 });
    await vi.waitUntil(async () => (await agent.status()).workers.some(({ state }) => state === 'silent'));
    expect(await agent.stop()).toBe(1);
    for (const caller of callers) caller.destroy();
  }, 30_000);

  test('ports are never shared with another agent, and a fixed one is the same in all workers', async () => {
    const port = await freePort();
    await using first = await startReadyAgent(config(port));
    expect(await first.address('http-proxy')).toEqual({ host: '127.0.0.1', port });
    await using second = startAgent(config(port));
    expect(await second.ended).toBe(1);
    expect(second.notes.join('\n')).toContain('another process listens there');
    expect((await first.status()).ready).toBe(true);
  });
});

test('`eastwest up` gives a workload’s agent workers, and `eastwest status` counts over all of them', async () => {
  const [appPort, proxied] = (await freePorts(2)) as [number, number];
  const app = `require('node:http').createServer((q, a) => a.end('ok')).listen(${appPort}, '127.0.0.1')`;
  await using mesh = await startMesh(`
name: twofold
workloads:
  - { name: cart, run: [node, -e, 'setInterval(() => {}, 1000)'], workers: 2, calls: [{ to: prices, listen: ${proxied} }] }
  - { name: prices, run: [node, -e, "${app}"], workers: 2, listens: [{ port: ${appPort}, protocol: http }] }
traffic: [{ url: "http://127.0.0.1:${proxied}/", perSecond: 50 }]
`);
  await mesh.until((line) => line['event'] === 'progress' && Number(line['requests']) > 50, 15_000);
  const { code, stdout } = await mesh.eastwest('status', '--json');
  expect(code).toBe(0);
  const { requests, failed } = JSON.parse(stdout) as { requests: number; failed: number };
  expect({ many: requests > 50, failed }).toEqual({ many: true, failed: 0 });
  expect(await mesh.stop()).toMatchObject({ code: 0, summary: { failed: 0, resets: 0 } });
}, 60_000);
