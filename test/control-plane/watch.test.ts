import { describe, expect, test } from 'vitest';
import { workloadSpiffeId, type SpiffeId } from '#certs/spiffe-id.ts';
import {
  createEndpointBook,
  endpointGraceMs,
  maxEndpointsPerIdentity,
  maxEndpointsTold,
} from '#control-plane/discovery/endpoints.ts';
import { createSubscription } from '#control-plane/discovery/subscription.ts';
import { openStore } from '#control-plane/store/sqlite.ts';
import type { WatchStream } from '#proto/mesh-client.ts';
import {
  encodeWatchResponse,
  maxMessageBytes,
  type Endpoint,
  type WatchResponse,
  type Workload,
} from '#proto/messages.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { options, startTestControlPlane, type TestControlPlane } from '#support/start-control-plane.ts';
import { createTestCa } from '#support/test-ca.ts';

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
    stream.send({ kind: 'subscribe', upstreams, endpoints, agentVersion: 'test', ports: [] });
  await say(wish);
  const ended = (async () => {
    for await (const message of stream.messages) {
      heard.push(message);
      await stream.send({ kind: 'acknowledge', version: message.version, problem: '' });
    }
  })().catch(() => undefined);
  /** What it knows of each upstream, in the order of first hearing; undefined before the first message. */
  const workloads = () => {
    const messages = heard.filter((message) => message.kind === 'workloads');
    const known = new Map(messages.flatMap((message) => message.workloads.map((told) => [told.name, told])));
    return messages.length === 0 ? undefined : [...known.values()];
  };
  return { heard, say, workloads, ended, leave: () => stop.abort() };
}

async function statusOf(mesh: TestControlPlane, workload: string) {
  const status = await mesh.admin.status(options);
  return status.ok ? status.value.workloads.find(({ name }) => name === workload) : undefined;
}

describe('an agent that watches', () => {
  test('hears settings, trust bundle, all it asked for and its policies, in versions that count up', async () => {
    await using mesh = await startTestControlPlane({ svidLife: '30s' });
    await mesh.joinToken('orders');
    const agent = await listen(mesh, 'prices', { upstreams: ['orders', 'nobody'] });
    await expect.poll(() => agent.heard.length).toBe(4);
    expect(agent.heard).toMatchObject([
      { kind: 'settings', version: 1, svidLifeMs: 30_000 },
      { kind: 'trust-bundle', version: 2, trustBundle: { trustDomain: 'shop.example', version: 1 } },
      {
        kind: 'workloads',
        version: 3,
        workloads: [{ name: 'orders', spiffeId: 'spiffe://shop.example/ns/default/sa/orders', endpoints: [] }],
      },
      { kind: 'policies', version: 4, policies: { revision: 0, part: 1, parts: 1, documents: [] } },
    ]);
  });

  test('hears of endpoints as they come and go, and of workloads as they are registered', async () => {
    await using mesh = await startTestControlPlane();
    const caller = await listen(mesh, 'storefront', { upstreams: ['prices'] });
    await expect.poll(() => caller.workloads()).toEqual([]);
    const one = await listen(mesh, 'prices', { endpoints: [here] });
    await expect.poll(() => caller.workloads()).toMatchObject([{ name: 'prices', endpoints: [here] }]);
    await listen(mesh, 'prices', { endpoints: [there] });
    await expect.poll(() => caller.workloads()).toMatchObject([{ endpoints: [here, there] }]);
    await one.say({ endpoints: [] }); // draining
    await expect.poll(() => caller.workloads()).toMatchObject([{ endpoints: [there] }]);
    await caller.say({ upstreams: ['storefront'] });
    await expect.poll(() => caller.workloads()?.at(-1)).toMatchObject({ name: 'storefront', endpoints: [] });
  });

  test('speaks for its own identity only: what it announces never appears under another name', async () => {
    await using mesh = await startTestControlPlane();
    await mesh.joinToken('orders');
    const caller = await listen(mesh, 'storefront', { upstreams: ['orders', 'prices'] });
    await listen(mesh, 'prices', { upstreams: ['orders'], endpoints: [here] });
    await expect
      .poll(() => caller.workloads())
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

  test('that drains and then leaves is gone at once, without the grace', async () => {
    await using mesh = await startTestControlPlane();
    const caller = await listen(mesh, 'storefront', { upstreams: ['prices'] });
    const agent = await listen(mesh, 'prices', { endpoints: [here] });
    await expect.poll(() => caller.workloads()).toMatchObject([{ endpoints: [here] }]);
    await agent.say({ endpoints: [] });
    await systemClock.sleep(1); // what was said is on the line
    agent.leave();
    await expect.poll(() => caller.workloads()).toMatchObject([{ endpoints: [] }]);
    expect(await statusOf(mesh, 'prices')).toMatchObject({ endpoints: [] });
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

function spiffeIdOf(name: string): SpiffeId {
  const spiffeId = workloadSpiffeId('shop.example', 'default', name);
  if (!spiffeId.ok) throw new Error(spiffeId.reason);
  return spiffeId.value;
}

const many = (count: number, port: number): Endpoint[] =>
  Array.from({ length: count }, (_none, index) => ({ host: `10.9.${index >> 8}.${index & 255}`, port }));

describe('a workload gone bad', () => {
  test('announces 300 times 16 endpoints: callers hear of 256, 1,024 are kept, and discovery goes on', async () => {
    await using mesh = await startTestControlPlane();
    const caller = await listen(mesh, 'storefront', { upstreams: ['prices', 'orders'] });
    const identity = await mesh.join('prices');
    const stop = new AbortController();
    const all = many(4800, 1000);
    let refused = 0;
    let client = mesh.client(identity);
    for (let index = 0; index < 300; index += 1) {
      if (index % 4 === 0) client = mesh.client(identity);
      if (index % 40 === 0) await systemClock.sleep(50);
      const stream = client.watch(stop.signal);
      const endpoints = all.slice(index * 16, index * 16 + 16);
      void stream.send({ kind: 'subscribe', upstreams: [], endpoints, agentVersion: 'bad', ports: [] });
      void (async () => {
        for await (const message of stream.messages) void message;
      })().catch((error: unknown) => {
        if (/too-many-streams/.test(String(error))) refused += 1;
      });
    }
    await expect.poll(() => caller.workloads()?.[0]?.endpoints.length, { timeout: 5000 }).toBe(maxEndpointsTold);
    await listen(mesh, 'orders', { endpoints: [here] });
    await expect.poll(() => caller.workloads()?.[1]?.endpoints).toEqual([here]);
    const prices = await statusOf(mesh, 'prices');
    expect(prices?.agentsConnected).toBe(256);
    expect(refused).toBe(44);
    expect(prices?.endpoints.length).toBe(maxEndpointsPerIdentity);
    expect(JSON.stringify(mesh.events).length).toBeLessThan(200_000);
    stop.abort();
  });

  test('alternates its wishes: it is heard, slowly (A41)', async () => {
    await using mesh = await startTestControlPlane();
    await mesh.joinToken('orders');
    const agent = await listen(mesh, 'prices', { upstreams: ['orders'] });
    for (let index = 0; index < 2000; index += 1) await agent.say({ endpoints: index % 2 === 0 ? [here] : [there] });
    await systemClock.sleep(1000);
    const changes = mesh.events.filter(({ event }) => event === 'endpoints.changed').length;
    expect(changes).toBeLessThan(30);
    agent.leave();
  });
});

test('a set of workloads that is too large for one message comes in several', async () => {
  const names = Array.from({ length: 1000 }, (_none, index) => `w${'x'.repeat(55)}${index}`);
  const workloads: Workload[] = names.map((name) => ({
    name,
    spiffeId: spiffeIdOf(name),
    endpoints: many(20, 65_535),
  }));
  const sent: WatchResponse[] = [];
  const trustBundle = createTestCa({ nowMs: systemClock.now() }).bundle;
  const subscription = createSubscription({
    send: async (response) => void sent.push(response),
    snapshot: () => ({ trustBundle, tokenKeys: undefined, svidLifeMs: 1000, workloads: () => workloads }),
    policies: { due: function* none() {}, acknowledge: () => undefined },
  });
  subscription.wish(names);
  await subscription.refresh();
  const sizes = sent.map((response) => encodeWatchResponse(response).length);
  expect(Math.max(...sizes)).toBeLessThan(maxMessageBytes);
  expect(sent.flatMap((response) => (response.kind === 'workloads' ? response.workloads : []))).toEqual(workloads);
  await subscription.refresh();
  expect(sent).toHaveLength(sizes.length); // nothing new, nothing sent
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
