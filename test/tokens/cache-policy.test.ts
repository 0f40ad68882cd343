import { describe, expect, test } from 'vitest';
import {
  isUsable,
  onKid,
  refreshDueAtMs,
  tokenDueAtMs,
  type FetchHistory,
  type FetchTimes,
} from '#tokens/cache-policy.ts';

const times: FetchTimes = { freshMs: 30_000, refreshMs: 600_000, staleMs: 3_600_000, maxBackoffMs: 300_000 };
const good: FetchHistory = { fetchedAtMs: 0, triedAtMs: 0, failures: 0, isFetching: false };

describe('S76–S78, A5, A6: a token’s kid', () => {
  test.each<['known' | 'unknown', Partial<FetchHistory>, number, string]>([
    ['known', {}, 0, 'use'],
    ['known', {}, 3_599_999, 'use'],
    ['known', { failures: 9, triedAtMs: 3_000_000, isFetching: true }, 3_599_999, 'use'],
    ['known', {}, 3_600_000, 'fetch'],
    ['known', { isFetching: true }, 3_600_000, 'refuse'],
    ['unknown', { fetchedAtMs: undefined, triedAtMs: undefined }, 0, 'fetch'],
    ['unknown', {}, 29_999, 'refuse'],
    ['unknown', {}, 30_000, 'fetch'],
    ['unknown', { isFetching: true }, 30_000, 'refuse'],
    ['unknown', { triedAtMs: 40_000, failures: 1 }, 99_999, 'refuse'],
    ['unknown', { triedAtMs: 40_000, failures: 1 }, 100_000, 'fetch'],
    ['unknown', { triedAtMs: 40_000, failures: 50 }, 339_999, 'refuse'],
    ['unknown', { triedAtMs: 40_000, failures: 50 }, 340_000, 'fetch'],
  ])('%s with %j after %i ms: %s', (kid, changes, nowMs, expected) => {
    expect(onKid(kid, { ...good, ...changes }, nowMs, times)).toBe(expected);
  });

  /** 10,000 unknown kids in 100 s against an endpoint; how many fetches they buy. */
  function flood(endpoint: 'good' | 'failing' | 'hanging'): { fetches: number; knownRefused: number } {
    let history = good;
    let fetches = 0;
    let knownRefused = 0;
    for (let nowMs = 0; nowMs < 100_000; nowMs += 10) {
      if (onKid('known', history, nowMs, times) !== 'use') knownRefused += 1;
      if (onKid('unknown', history, nowMs, times) !== 'fetch') continue;
      fetches += 1;
      history = { ...history, triedAtMs: nowMs };
      if (endpoint === 'good') history = { ...history, fetchedAtMs: nowMs, failures: 0 };
      if (endpoint === 'failing') history = { ...history, failures: history.failures + 1 };
      if (endpoint === 'hanging') history = { ...history, isFetching: true };
    }
    return { fetches, knownRefused };
  }

  test('a flood buys one fetch for each window, and less when the endpoint fails or hangs; known kids never wait', () => {
    expect(flood('good')).toEqual({ fetches: 3, knownRefused: 0 });
    expect(flood('failing')).toEqual({ fetches: 2, knownRefused: 0 });
    expect(flood('hanging')).toEqual({ fetches: 1, knownRefused: 0 });
  });
});

describe('the last good document', () => {
  test('A23: counts within its bound, whatever failed since', () => {
    const failing = { ...good, failures: 7, triedAtMs: 3_500_000 };
    expect(isUsable(failing, 3_599_999, times)).toBe(true);
    expect(isUsable(failing, 3_600_000, times)).toBe(false);
    expect(isUsable({ ...good, fetchedAtMs: undefined }, 0, times)).toBe(false);
  });

  test('is looked for again unasked, spread, and after a failure by the guard', () => {
    expect([0, 0.5, 1].map((random) => refreshDueAtMs(good, times, random))).toEqual([300_000, 450_000, 600_000]);
    const failed = { ...good, failures: 2, triedAtMs: 600_000 };
    expect([0, 1].map((random) => refreshDueAtMs(failed, times, random))).toEqual([720_000, 750_000]);
    const never = { ...good, fetchedAtMs: undefined, triedAtMs: undefined };
    expect(refreshDueAtMs(never, times, 0.5)).toBe(-Infinity);
  });
});

test('S52: a token’s successor is due at 60 to 80 % of its life', () => {
  const token = { issuedAtMs: 1_000, expiresAtMs: 301_000 };
  expect([0, 0.5, 1].map((random) => tokenDueAtMs(token, random))).toEqual([181_000, 211_000, 241_000]);
});
