import { expect, test } from 'vitest';
import { createIdentityStore } from '#agent/identity/store.ts';
import { createTestCa } from '#support/test-ca.ts';
import { identityOf } from '#support/test-identity.ts';

const nowMs = Date.UTC(2026, 0, 1);
const ca = createTestCa({ nowMs });
const identity = identityOf(ca.leaf('prices'), { ca, nowMs });

test('the last good snapshot stays until the next, frozen, under a growing generation', () => {
  const store = createIdentityStore();
  expect(store.current()).toBeUndefined();
  const first = store.replace(identity);
  expect(first).toEqual({ ...identity, generation: 1 });
  expect(Object.isFrozen(first)).toBe(true);
  expect(store.current()).toBe(first);
  expect(store.replace({ ...first }).generation).toBe(2);
});

test('subscribers hear every later snapshot until they leave', () => {
  const store = createIdentityStore();
  const heard: number[] = [];
  const listener = ({ generation }: { generation: number }) => void heard.push(generation);
  const leave = store.subscribe(listener);
  store.subscribe(listener);
  store.replace(identity);
  leave();
  store.replace(identity);
  expect(heard).toEqual([1, 1, 2]);
});

test('the first snapshot is waited for, or there already', async () => {
  const store = createIdentityStore();
  const never = new AbortController().signal;
  const waiting = store.first(never);
  const snapshot = store.replace(identity);
  expect(await waiting).toBe(snapshot);
  expect(await store.first(never)).toBe(snapshot);
});

test('waiting ends with the signal’s reason', async () => {
  const store = createIdentityStore();
  const stop = new AbortController();
  const waiting = store.first(stop.signal);
  stop.abort(new Error('stopping'));
  await expect(waiting).rejects.toThrow('stopping');
  await expect(store.first(stop.signal)).rejects.toThrow('stopping');
  store.replace(identity);
});
