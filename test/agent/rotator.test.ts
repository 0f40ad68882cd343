import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { AgentEvent } from '#agent/events.ts';
import { createJoinTokens } from '#agent/identity/attest.ts';
import { Rotator } from '#agent/identity/rotator.ts';
import { openStateDir, type StateDir } from '#agent/identity/state-dir.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { verifySvid } from '#certs/verify-svid.ts';
import type { Fault } from '#runtime/fault.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { bundleOf, createFakeIssuer, type FakeIssuer } from '#support/fake-issuer.ts';
import { lifeMs, linesOf, settled, startMs, startRotator } from '#support/rotator-stage.ts';
import { createTestCa } from '#support/test-ca.ts';

const eventNames = (events: readonly AgentEvent[]) => events.map(({ event }) => event);

describe('the rotation', () => {
  test('uses the join token exactly once, then renews by the current SVID with a new key each time (S40, S42)', async () => {
    const { clock, issuer, ca, rotator, generation } = startRotator();
    const thumbprints = new Set([(await generation(1)).svid.keyThumbprint]);
    for (const number of [2, 3, 4]) {
      await clock.advance(0.59 * lifeMs);
      const { svid, bundle } = await generation(number);
      thumbprints.add(svid.keyThumbprint);
      expect(verifySvid(svid.chainDer, { bundle, nowMs: clock.now() }).ok).toBe(true);
      expect(bundle.roots).toEqual(ca.bundle.roots);
    }
    expect(issuer.seen.map(({ kind }) => kind)).toEqual(['join-token', 'current-svid', 'current-svid', 'current-svid']);
    expect(thumbprints.size).toBe(4);
    expect(rotator.status()).toEqual({ rotations: 3, skewMs: 0, failures: 0, joinTokenUses: 1 });
  });

  test.each([
    { random: 0, share: 0.5 },
    { random: 1, share: 0.66 },
  ])('comes at $share of the life when chance says $random', async ({ random, share }) => {
    const { clock, issuer, generation } = startRotator({ random });
    await generation(1);
    await clock.advance(share * lifeMs - 1);
    expect(issuer.seen).toHaveLength(1);
    await clock.advance(1);
    await generation(2);
  });

  test('publishes one frozen snapshot whose leaf, key and bundle belong together', async () => {
    const { generation } = startRotator();
    expect(Object.isFrozen(await generation(1))).toBe(true);
  });

  test('is asked for: it happens at once', async () => {
    const { rotator, generation } = startRotator();
    await generation(1);
    rotator.renewNow();
    expect((await generation(2)).generation).toBe(2);
  });

  test('ends with the signal’s reason, and no timer is left', async () => {
    const clock = createFakeClock(startMs);
    const ca = createTestCa({ nowMs: startMs });
    const issuer = createFakeIssuer({ ca, clock, workload: 'prices', lifeMs });
    const stop = new AbortController();
    const store = createIdentityStore();
    const joinTokens = createJoinTokens({ kind: 'stdin' }, { workload: 'prices', stdin: linesOf('first-token') });
    const running = new Rotator({
      ...{ workload: 'prices', store, call: issuer.call, joinTokens, pinned: ca.bundle, stateDir: undefined, clock },
      ...{ random: () => 0, emit: () => undefined },
    }).run(stop.signal);
    running.catch(() => undefined);
    await store.first(stop.signal);
    await vi.waitFor(() => expect(clock.waiting()).toBe(1));
    stop.abort(new Error('stopping'));
    await expect(running).rejects.toThrow('stopping');
    expect(clock.waiting()).toBe(0);
  });
});

describe('the control plane is away', () => {
  test.each([0, 0.25, 0.5, 0.69])(
    'for 30 percent of a life, beginning at %d of it: the SVID never runs out (M6)',
    async (begin) => {
      const { clock, issuer, store, generation, events } = startRotator({ random: 0.99 });
      await generation(1);
      const stepMs = lifeMs / 100;
      let shortestMs = Infinity;
      for (let at = 0; at < 220; at += 1) {
        const share = at / 100;
        issuer.behave({ kind: share >= begin && share < begin + 0.3 ? 'unreachable' : 'sign' });
        await clock.advance(stepMs);
        await settled(clock);
        shortestMs = Math.min(shortestMs, store.current()!.svid.notAfterMs - clock.now());
      }
      expect(shortestMs).toBeGreaterThan(0);
      expect(store.current()!.generation).toBeGreaterThan(2);
      expect(eventNames(events)).not.toContain('svid.expired');
    },
  );

  test('the expiry is told when it comes, also while the control plane takes a call and is silent', async () => {
    const { clock, issuer, events, generation } = startRotator({ random: 1 }); // its last try falls on the expiry itself
    await generation(1);
    issuer.behave({ kind: 'unreachable' });
    for (let leftMs = lifeMs; leftMs > 10; leftMs -= 10) {
      await clock.advance(10);
      await settled(clock);
    }
    issuer.behave({ kind: 'silent' });
    await clock.advance(1_000);
    expect(events.filter(({ event }) => event === 'svid.expired')).toMatchObject([{ expiredForMs: 0 }]);
  });

  test('for longer: what was published stays, each failure tells how long it is still good for, and it heals', async () => {
    const { clock, issuer, store, events, rotator, generation } = startRotator();
    const first = await generation(1);
    issuer.behave({ kind: 'unreachable' });
    for (let at = 0; at < 120; at += 1) {
      await clock.advance(lifeMs / 100);
      await settled(clock);
      expect(store.current()).toBe(first);
    }
    const failed = events.filter((event) => event.event === 'svid.renewal-failed');
    const validForMs = failed.map((event) => event.validForMs);
    expect(validForMs).toEqual([...validForMs].sort((a, b) => b - a));
    expect(failed.length).toBeGreaterThan(10);
    expect(failed.length).toBeLessThan(150);
    expect(events.filter(({ event }) => event === 'svid.expired')).toHaveLength(1);
    expect(rotator.status().failures).toBe(failed.length);
    issuer.behave({ kind: 'sign' }); // one that still knows us: it alone decides whether an expired SVID will do
    await clock.advance(10_000);
    await generation(2);
    expect(rotator.status().failures).toBe(0);
  });
});

describe('a failed renewal changes nothing', () => {
  test.each([
    ['another key', (issuer: FakeIssuer) => issuer.behave({ kind: 'sign', key: 'another' }), 'other-key'],
    [
      'another workload’s name',
      (issuer: FakeIssuer) => issuer.behave({ kind: 'sign', name: 'orders' }),
      'other-spiffe-id',
    ],
    [
      'an unknown authority',
      (issuer: FakeIssuer) => issuer.signWith(createTestCa({ nowMs: startMs })),
      'unknown-authority',
    ],
    [
      'another trust domain',
      (issuer: FakeIssuer) => issuer.signWith(createTestCa({ nowMs: startMs, trustDomain: 'evil.example' })),
      'other-trust-domain',
    ],
  ])('when the answer is for %s', async (_name, spoil, problem) => {
    const { clock, issuer, store, failures, events, generation } = startRotator();
    const first = await generation(1);
    spoil(issuer);
    await clock.advance(0.59 * lifeMs);
    await failures(1);
    expect(store.current()).toBe(first);
    const failed = events.find((event) => event.event === 'svid.renewal-failed');
    expect(String(failed?.error)).toContain(problem);
  });

  test('a refusal’s retry-after is waited for, with some chance on top', async () => {
    const { clock, issuer, failures, generation, events } = startRotator();
    await generation(1);
    issuer.behave({
      kind: 'refuse',
      refusal: { code: 'resource-exhausted', reason: 'rate-limited', retryAfterMs: 20_000 },
    });
    await clock.advance(0.59 * lifeMs);
    await failures(1);
    issuer.behave({ kind: 'sign' });
    await clock.advance(19_999);
    await settled(clock);
    expect(issuer.seen).toHaveLength(2);
    await clock.advance(2_001);
    await generation(2);
    expect(events).toContainEqual(expect.objectContaining({ event: 'svid.renewal-failed', retryInMs: 22_000 }));
  });
});

describe('a join token that is used up, expired or unknown', () => {
  test('is final, and the fault says how to make a new one and how to pass it on', async () => {
    const { running } = startRotator({ token: 'unknown-token' });
    const fault = await running.catch((error: unknown) => error as Fault);
    expect(fault).toMatchObject({ name: 'Fault', code: 'JOIN_TOKEN_REFUSED' });
    expect(fault.hint).toContain('eastwest token create prices');
    expect(fault.hint).toContain('stdin');
    expect(JSON.stringify({ ...fault, message: fault.message, cause: String(fault.cause) })).not.toContain(
      'unknown-token',
    );
  });

  test('of another workload makes no agent', async () => {
    const { running, store } = startRotator({ before: (issuer) => issuer.behave({ kind: 'sign', name: 'orders' }) });
    await expect(running).rejects.toMatchObject({ code: 'JOIN_TOKEN_OF_OTHER_WORKLOAD' });
    expect(store.current()).toBeUndefined();
  });

  test('is kept while nobody answers, and shown again', async () => {
    const { clock, issuer, failures, rotator, generation } = startRotator({
      before: (it) => it.behave({ kind: 'unreachable' }),
    });
    await failures(1);
    issuer.behave({ kind: 'sign' });
    await clock.advance(10_000);
    await generation(1);
    expect(rotator.status().joinTokenUses).toBe(1);
  });

  test('is needed again once the SVID has expired and the control plane says no', async () => {
    const { clock, issuer, running, generation } = startRotator();
    await generation(1);
    issuer.behave({ kind: 'refuse', refusal: { code: 'unauthenticated', reason: 'svid-expired' } });
    const ended = running.catch((error: unknown) => error);
    for (let hasEnded = false; !hasEnded;) {
      await clock.advance(lifeMs / 100);
      hasEnded = await Promise.race([settled(clock).then(() => false), ended.then(() => true)]);
    }
    expect(await ended).toMatchObject({ code: 'JOIN_TOKEN_NEEDED' });
  });
});

describe('with a state directory', () => {
  async function freshState(): Promise<StateDir> {
    const dir = await mkdtemp(join(tmpdir(), 'eastwest-state-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    return openStateDir(dir, 'prices');
  }

  test('a start after a crash renews by the kept SVID and needs no token', async () => {
    const stateDir = await freshState();
    const clock = createFakeClock(startMs);
    const ca = createTestCa({ nowMs: startMs });
    const before = startRotator({ stateDir, clock, ca });
    const { svid } = await before.generation(1);
    await vi.waitFor(async () =>
      expect((await stateDir.load({ bundle: ca.bundle, nowMs: clock.now() })).ok).toBe(true),
    );

    const after = startRotator({ stateDir, clock, ca, token: '' });
    const renewed = await after.generation(2);
    expect(after.events[0]).toMatchObject({ event: 'svid.resumed', serialHex: svid.serialHex });
    expect(after.issuer.seen).toEqual([{ kind: 'current-svid' }]);
    expect(renewed.svid.spiffeId).toBe(svid.spiffeId);
    expect(after.rotator.status().joinTokenUses).toBe(0);
  });

  test('an expired one does not help: the token does, and without it the error says so', async () => {
    const stateDir = await freshState();
    const clock = createFakeClock(startMs);
    const ca = createTestCa({ nowMs: startMs });
    await startRotator({ stateDir, clock, ca, lifeMs: 5_000 }).generation(1);
    await vi.waitFor(async () => expect((await stateDir.load({ bundle: ca.bundle, nowMs: startMs })).ok).toBe(true));
    clock.jumpWall(10_000);
    const without = startRotator({ stateDir, clock, ca, token: '' });
    await expect(without.running).rejects.toMatchObject({ code: 'JOIN_TOKEN_NEEDED' });
    const withToken = startRotator({ stateDir, clock, ca });
    await withToken.generation(1);
    expect(withToken.events[0]).toMatchObject({ event: 'state.refused', reason: 'expired' });
  });
});

test('an answer signed by a root that comes with it is taken when our own SVID stands in the new bundle too', async () => {
  const { clock, issuer, ca, generation } = startRotator();
  await generation(1);
  const nextCa = createTestCa({ nowMs: startMs });
  issuer.signWith(nextCa, bundleOf(5, ca, nextCa));
  await clock.advance(0.59 * lifeMs);
  expect((await generation(2)).bundle.version).toBe(5);
});
