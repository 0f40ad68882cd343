import { describe, expect, test } from 'vitest';
import { createEndpointBook, endpointGraceMs } from '#control-plane/discovery/endpoints.ts';
import { openStore } from '#control-plane/store/sqlite.ts';
import type { WatchStream } from '#proto/mesh-client.ts';
import type { Endpoint, WatchResponse } from '#proto/messages.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { options, startTestControlPlane, type TestControlPlane } from '#support/start-control-plane.ts';

const here: Endpoint = { host: '127.0.0.1', port: 15_008 };
const there: Endpoint = { host: '127.0.0.1', port: 15_009 };

/** An agent that listens, and remembers what it heard. */
async function listen(
  mesh: TestControlPlane,
  workload: string,
  wish: { upstreams?: string[]; endpoints?: Endpoint[] } = {},
) {
  const stop = new AbortController();
  const stream: WatchStream = mesh.client(await mesh.join(workload)).watch(stop.signal);
  const heard: WatchResponse[] = [];
  const say = ({ upstreams = [], endpoints = [] }: typeof wish) =>
    stream.send({ kind: 'subscribe', upstreams, endpoints, agentVersion: 'test' });
  await say(wish);
  const ended = (async () => {
    for await (const message of stream.messages) {
      heard.push(message);
      await stream.send({ kind: 'acknowledge', version: message.version, problem: '' });
    }
  })().catch(() => undefined);
  const lastWorkloads = () => {
    const last = heard.findLast((message) => message.kind === 'workloads');
    return last?.kind === 'workloads' ? last.workloads : undefined;
  };
  return { heard, say, lastWorkloads, ended, leave: () => stop.abort() };
}

async function statusOf(mesh: TestControlPlane, workload: string) {
  const status = await mesh.admin.status(options);
  return status.ok ? status.value.workloads.find(({ name }) => name === workload) : undefined;
}

describe('an agent that watches', () => {
  test('hears settings, trust bundle and the full state of what it asked for, in versions that count up', async () => {
    await using mesh = await startTestControlPlane({ svidLife: '30s' });
    await mesh.joinToken('orders');
    const agent = await listen(mesh, 'prices', { upstreams: ['orders', 'nobody'] });
    await expect.poll(() => agent.heard.length).toBe(3);
    expect(agent.heard).toMatchObject([
      { kind: 'settings', version: 1, svidLifeMs: 30_000 },
      { kind: 'trust-bundle', version: 2, trustBundle: { trustDomain: 'shop.example', version: 1 } },
      {
        kind: 'workloads',
        version: 3,
        workloads: [{ name: 'orders', spiffeId: 'spiffe://shop.example/ns/default/sa/orders', endpoints: [] }],
      },
    ]);
  });

  test('hears of endpoints as they come and go, and of workloads as they are registered', async () => {
    await using mesh = await startTestControlPlane();
    const caller = await listen(mesh, 'storefront', { upstreams: ['prices'] });
    await expect.poll(() => caller.lastWorkloads()).toEqual([]);
    const one = await listen(mesh, 'prices', { endpoints: [here] });
    await expect.poll(() => caller.lastWorkloads()).toMatchObject([{ name: 'prices', endpoints: [here] }]);
    await listen(mesh, 'prices', { endpoints: [there] });
    await expect.poll(() => caller.lastWorkloads()).toMatchObject([{ endpoints: [here, there] }]);
    await one.say({ endpoints: [] }); // draining
    await expect.poll(() => caller.lastWorkloads()).toMatchObject([{ endpoints: [there] }]);
    await caller.say({ upstreams: ['storefront'] });
    await expect.poll(() => caller.lastWorkloads()).toMatchObject([{ name: 'storefront', endpoints: [] }]);
  });

  test('speaks for its own identity only: what it announces never appears under another name', async () => {
    await using mesh = await startTestControlPlane();
    await mesh.joinToken('orders');
    const caller = await listen(mesh, 'storefront', { upstreams: ['orders', 'prices'] });
    await listen(mesh, 'prices', { upstreams: ['orders'], endpoints: [here] });
    await expect
      .poll(() => caller.lastWorkloads())
      .toMatchObject([
        { name: 'orders', endpoints: [] },
        { name: 'prices', endpoints: [here] },
      ]);
  });

  test('is counted in the status, with the bundle version it applied', async () => {
    await using mesh = await startTestControlPlane();
    const agent = await listen(mesh, 'prices', { endpoints: [here] });
    await expect
      .poll(() => statusOf(mesh, 'prices'))
      .toMatchObject({
        agentsConnected: 1,
        bundleVersionAcknowledged: 1,
        issued: 1,
        endpoints: [here],
      });
    agent.leave();
    await expect.poll(() => statusOf(mesh, 'prices')).toMatchObject({ agentsConnected: 0, endpoints: [here] });
  });

  test('has its endpoints remembered over a restart', async () => {
    await using mesh = await startTestControlPlane();
    const agent = await listen(mesh, 'prices', { endpoints: [here] });
    await expect.poll(() => statusOf(mesh, 'prices')).toMatchObject({ endpoints: [here] });
    await mesh.restart();
    await agent.ended;
    expect(await statusOf(mesh, 'prices')).toMatchObject({ agentsConnected: 0, endpoints: [here] });
  });
});

test('an endpoint goes 30 s after its last agent went, unless one comes back', async () => {
  const clock = createFakeClock(1_700_000_000_000);
  await using mesh = await startTestControlPlane();
  const spiffeId = (await mesh.join('prices')).svid.spiffeId;
  await mesh.controlPlane.close();
  const store = openStore(`${mesh.dataDir}/store.sqlite`);
  const parts = { store, clock, emit: () => undefined, onChange: () => undefined };
  const book = createEndpointBook(parts);
  const [first, second] = [{ spiffeId }, { spiffeId }];
  await book.announce(first, [here, there]);
  book.leave(first);
  await clock.advance(endpointGraceMs - 1);
  expect(book.of(spiffeId)).toEqual([here, there]);
  await book.announce(second, [here]); // the next stream of the same agent
  await clock.advance(1);
  expect(book.of(spiffeId)).toEqual([here]);
  book.close();
  await expect.poll(() => store.endpoints()).toEqual([{ spiffeId, ...here }]);
  const reborn = createEndpointBook(parts); // a restart
  expect(reborn.of(spiffeId)).toEqual([here]);
  await clock.advance(endpointGraceMs);
  expect(reborn.of(spiffeId)).toEqual([]);
  await expect.poll(() => store.endpoints()).toEqual([]);
  expect(clock.waiting()).toBe(0);
  store.close();
});
