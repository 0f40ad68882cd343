import { expect, test } from 'vitest';
import { createReadiness } from '#agent/admin/readiness.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createTestCa } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ca = createTestCa({ nowMs });

test('readiness follows the SVID: missing, good, expiring with its time, expired, renewed', async () => {
  const clock = createFakeClock(nowMs);
  const store = createIdentityStore();
  const readiness = createReadiness(store, clock);
  const names = () => readiness.report().blockers.map(({ name }) => name);
  expect(names()).toEqual(['svid-missing']);
  const notAfterMs = nowMs + 100_000;
  store.replace(identityOf(ca.leaf('prices', { notAfterMs }), { ca, nowMs }));
  expect(readiness.report()).toEqual({ ready: true, blockers: [], warnings: [] });
  await clock.advance(75_001);
  expect(readiness.report()).toEqual({
    ready: true,
    blockers: [],
    warnings: [{ name: 'svid-expiring', atMs: notAfterMs, inMs: 24_999 }],
  });
  await clock.advance(25_000);
  expect(readiness.report()).toMatchObject({ ready: false, blockers: [{ name: 'svid-expired' }], warnings: [] });
  store.replace(identityOf(ca.leaf('prices', { notAfterMs: nowMs + 600_000 }), { ca, nowMs: clock.now() }));
  expect(names()).toEqual([]);
});

test('blockers are named, said once, and cleared by name', () => {
  const store = createIdentityStore();
  store.replace(identityOf(ca.leaf('prices'), { ca, nowMs }));
  const readiness = createReadiness(store, createFakeClock(nowMs));
  readiness.block('starting', 'listeners are not open');
  readiness.block('draining', 'asked to');
  readiness.block('draining', 'asked to again');
  expect(readiness.report()).toMatchObject({
    ready: false,
    blockers: [
      { name: 'starting', detail: 'listeners are not open' },
      { name: 'draining', detail: 'asked to again' },
    ],
  });
  readiness.clear('starting');
  readiness.clear('draining');
  readiness.clear('draining');
  expect(readiness.report().ready).toBe(true);
});
