import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createReadiness } from '#agent/admin/readiness.ts';
import type { AgentEvent } from '#agent/events.ts';
import { createControlPlaneIdentity } from '#agent/identity/control-plane-identity.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import type { ControlPlaneClient } from '#agent/identity/watch.ts';
import type { TrustBundle } from '#certs/trust-bundle.ts';
import type { WatchRequest, WatchResponse, Workload } from '#proto/messages.ts';
import { Fault } from '#runtime/fault.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { bundleOf, createFakeIssuer } from '#support/fake-issuer.ts';
import { openNoPolicies } from '#support/no-policies.ts';
import { createTestCa } from '#support/test-ca.ts';

const nowMs = Date.UTC(2026, 0, 1);
const lifeMs = 100_000;

/** One channel as the agent opened it, seen from the control plane. */
interface Channel {
  readonly serialHex: string | undefined;
  readonly bundle: () => TrustBundle;
  readonly received: WatchRequest[];
  push(message: WatchResponse): void;
  end(): void;
  isClosed: boolean;
  isWatching: boolean;
}

async function startIdentity() {
  const clock = createFakeClock(nowMs);
  const ca = createTestCa({ nowMs });
  const issuer = createFakeIssuer({ ca, clock, workload: 'prices', lifeMs });
  const dir = await mkdtemp(join(tmpdir(), 'eastwest-cp-'));
  await writeFile(join(dir, 'trust-bundle.pem'), ca.bundlePem);
  const store = createIdentityStore();
  const readiness = createReadiness(store, clock);
  const events: AgentEvent[] = [];
  const told: (readonly Workload[])[] = [];
  const channels: Channel[] = [];
  const mood = { accepts: true };

  function createClient(options: {
    bundle(): TrustBundle;
    identity?: { svid: { serialHex: string } };
  }): ControlPlaneClient {
    const queue: WatchResponse[] = [];
    let wake = Promise.withResolvers<void>();
    let hasEnded = false;
    const channel: Channel = {
      serialHex: options.identity?.svid.serialHex,
      bundle: options.bundle,
      received: [],
      push(message) {
        queue.push(message);
        wake.resolve();
      },
      end() {
        hasEnded = true;
        wake.resolve();
      },
      isClosed: false,
      isWatching: false,
    };
    channels.push(channel);
    async function* messages(signal: AbortSignal): AsyncGenerator<WatchResponse> {
      channel.isWatching = true;
      signal.addEventListener('abort', () => wake.resolve());
      for (;;) {
        signal.throwIfAborted();
        if (!mood.accepts) throw new Fault('CONTROL_PLANE_UNREACHABLE', 'no answer');
        const next = queue.shift();
        if (next !== undefined) yield next;
        else if (hasEnded) return;
        else {
          await wake.promise;
          wake = Promise.withResolvers<void>();
        }
      }
    }
    return {
      issueCertificate: issuer.call,
      exchangeToken: () => Promise.reject(new Error('nobody asks for tokens here')),
      watch: (signal) => ({
        send: async (request) => void channel.received.push(request),
        messages: messages(signal),
      }),
      close: () => void (channel.isClosed = true),
    };
  }

  const identity = await createControlPlaneIdentity({
    config: {
      kind: 'control-plane',
      address: { host: '127.0.0.1', port: 9443 },
      trustBundlePath: join(dir, 'trust-bundle.pem'),
      joinToken: { kind: 'stdin' },
      stateDir: undefined,
    },
    ...{ workload: 'prices', trustDomain: 'shop.example', agentVersion: '0', upstreams: ['orders'] },
    ports: [{ port: 7002, protocol: 'tcp' }],
    ...{ store, readiness, stdin: Readable.from(['first-token\n']), clock, createClient, random: () => 0.5 },
    onWorkloads: (workloads) => void told.push(workloads),
    onTokenKeys: () => '',
    openPolicies: openNoPolicies,
    emit: (event) => void events.push(event),
  });
  const stop = new AbortController();
  const running = identity.run(stop.signal);
  running.catch(() => undefined);
  onTestFinished(async () => {
    stop.abort(new Error('done'));
    await expect(running).rejects.toThrow('done');
    expect(clock.waiting()).toBe(0);
    await rm(dir, { recursive: true });
  });
  const until = (claim: () => void) => vi.waitFor(claim, { interval: 1 });
  /** The channels on which a watch stands. */
  const watching = () => channels.filter(({ isWatching, isClosed }) => isWatching && !isClosed);
  return { clock, ca, issuer, store, readiness, events, told, channels, mood, identity, until, watching };
}

const settings = (version: number): WatchResponse => ({ kind: 'settings', version, svidLifeMs: lifeMs });

describe('the watch', () => {
  test('subscribes, tells the workloads and acknowledges', async () => {
    const { until, watching, told, identity, ca } = await startIdentity();
    await until(() => expect(watching()).toHaveLength(1));
    const [channel] = watching();
    const ports = [{ port: 7002, protocol: 'tcp' }];
    expect(channel!.received).toEqual([
      { kind: 'subscribe', upstreams: ['orders'], endpoints: [], agentVersion: '0', ports },
    ]);
    expect(channel!.bundle().roots).toEqual(ca.bundle.roots);
    channel!.push({ kind: 'workloads', version: 1, workloads: [] });
    await until(() => expect(told).toEqual([[]]));
    await until(() => expect(channel!.received).toContainEqual({ kind: 'acknowledge', version: 1, problem: '' }));
    await until(() => expect(identity.status().controlPlane).toBe('connected'));
    identity.announce([{ host: '127.0.0.1', port: 15008 }]);
    expect(channel!.received.at(-1)).toMatchObject({
      kind: 'subscribe',
      endpoints: [{ host: '127.0.0.1', port: 15008 }],
      ports,
    });
  });

  test('moves to a channel of the new SVID after each rotation, and the old one closes once the new one spoke', async () => {
    const { until, watching, store, identity, events, channels } = await startIdentity();
    await until(() => expect(watching()).toHaveLength(1));
    const [first] = watching();
    first!.push(settings(1));
    await until(() => expect(identity.status().controlPlane).toBe('connected'));
    identity.renewNow();
    await until(() => expect(watching()).toHaveLength(2));
    expect(first!.isClosed).toBe(false);
    const second = watching().at(-1)!;
    expect(second.serialHex).toBe(store.current()!.svid.serialHex);
    second.push(settings(1));
    await until(() => expect(watching()).toEqual([second]));
    expect(events.filter(({ event }) => event.startsWith('control-plane.'))).toHaveLength(1);
    const bootstrap = channels.find(({ serialHex }) => serialHex === undefined);
    expect(bootstrap).toMatchObject({ isClosed: true, isWatching: false });
  });

  test('a bundle is applied and acknowledged, a bad one is answered with its problem', async () => {
    const { until, watching, ca, store, events } = await startIdentity();
    await until(() => expect(watching()).toHaveLength(1));
    const [channel] = watching();
    const version = () => store.current()!.bundle.version;
    const nextCa = createTestCa({ nowMs });
    channel!.push({ kind: 'trust-bundle', version: 1, trustBundle: bundleOf(7, ca, nextCa) });
    await until(() => expect(version()).toBe(7));
    expect(channel!.bundle().version).toBe(7);
    channel!.push({ kind: 'trust-bundle', version: 2, trustBundle: bundleOf(8, nextCa) });
    channel!.push({ kind: 'trust-bundle', version: 3, trustBundle: bundleOf(6, ca) });
    await until(() =>
      expect(channel!.received.slice(1)).toEqual([
        { kind: 'acknowledge', version: 1, problem: '' },
        { kind: 'acknowledge', version: 2, problem: 'own-svid-unverifiable' },
        { kind: 'acknowledge', version: 3, problem: 'version-went-backwards' },
      ]),
    );
    expect(version()).toBe(7);
    expect(events).toContainEqual({ event: 'bundle.refused', version: 8, problem: 'own-svid-unverifiable' });
  });
});

describe('the control plane goes away', () => {
  test('it is told once how long the SVID is good for; readiness stays; it comes back by itself', async () => {
    const { until, watching, clock, mood, identity, readiness, events } = await startIdentity();
    await until(() => expect(watching()).toHaveLength(1));
    watching()[0]!.push(settings(1));
    await until(() => expect(identity.status().controlPlane).toBe('connected'));
    mood.accepts = false;
    watching()[0]!.end();
    await until(() => expect(identity.status().controlPlane).toBe('unreachable'));
    for (let at = 0; at < 20; at += 1) await clock.advance(1_000);
    const lost = events.filter((event) => event.event === 'control-plane.lost');
    expect(lost).toHaveLength(1);
    expect(lost[0]!.validForMs).toBe(lifeMs);
    expect(readiness.report()).toMatchObject({ ready: true, blockers: [] });
    mood.accepts = true;
    await clock.advance(10_000);
    await until(() => expect(watching()).toHaveLength(1));
    watching()[0]!.push(settings(1));
    await until(() => expect(identity.status().controlPlane).toBe('connected'));
  });

  test('until the SVID has expired: then readiness names it, and the next SVID clears it', async () => {
    const { until, issuer, clock, readiness, store, watching } = await startIdentity();
    await until(() => expect(watching()).toHaveLength(1));
    issuer.behave({ kind: 'unreachable' });
    for (let at = 0; at < 110; at += 1) await clock.advance(1_000);
    await until(() =>
      expect(readiness.report().blockers.map(({ name }) => name)).toEqual([
        'svid-expired',
        'control-plane-unreachable',
      ]),
    );
    issuer.behave({ kind: 'sign' });
    await clock.advance(10_000);
    await until(() => expect(store.current()!.svid.notAfterMs).toBeGreaterThan(clock.now()));
    await until(() => expect(readiness.report()).toMatchObject({ ready: true, blockers: [] }));
  });
});

test.each([
  ['is missing', undefined],
  ['is no bundle', 'garbage'],
])('a pinned trust bundle that %s stops the start: nothing is trusted on first use (A66)', async (_name, content) => {
  const dir = await mkdtemp(join(tmpdir(), 'eastwest-pin-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  if (content !== undefined) await writeFile(join(dir, 'trust-bundle.pem'), content);
  const clock = createFakeClock(nowMs);
  const store = createIdentityStore();
  const starting = createControlPlaneIdentity({
    config: {
      kind: 'control-plane',
      address: { host: '127.0.0.1', port: 9443 },
      trustBundlePath: join(dir, 'trust-bundle.pem'),
      joinToken: { kind: 'stdin' },
      stateDir: undefined,
    },
    ...{ workload: 'prices', trustDomain: 'shop.example', agentVersion: '0', upstreams: [], ports: [], store, clock },
    ...{ readiness: createReadiness(store, clock), stdin: Readable.from([]), random: () => 0.5 },
    openPolicies: openNoPolicies,
    ...{
      onWorkloads: () => undefined,
      onTokenKeys: () => '',
      emit: () => undefined,
      createClient: () => expect.fail('nobody is dialled'),
    },
  });
  await expect(starting).rejects.toMatchObject({ code: 'TRUST_BUNDLE_UNUSABLE' });
});
