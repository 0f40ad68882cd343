import { describe, expect, test } from 'vitest';
import { verifyAccessToken, type VerifiedAccessToken } from '#tokens/access-token.ts';
import { createVerifiedTokens } from '#tokens/verified-tokens.ts';
import { accessToken, issuer, keySet, must, newKey, nowMs, rules, stsKey, verdict } from '#support/tokens.ts';

const limits = { maxTokens: 3, maxLength: 100_000, skewSeconds: 30 };
const token = (kid = 'a', expiresAtMs = nowMs + 300_000) => ({ kid, expiresAtMs });

describe('verdicts that are remembered', () => {
  test('A26: by the exact text: another signature of the same claims is another token', () => {
    const cache = createVerifiedTokens<VerifiedAccessToken>(limits);
    const [one, two] = [accessToken(), accessToken()];
    expect(one.slice(0, one.lastIndexOf('.'))).toBe(two.slice(0, two.lastIndexOf('.')));
    expect(one).not.toBe(two);
    cache.put(one, must(verifyAccessToken(one, rules())), 0);
    expect(cache.get(one, nowMs, 0)?.kid).toBe(stsKey.kid);
    expect(cache.get(two, nowMs, 0)).toBeUndefined();
    for (const near of [`${one} `, one.slice(0, -1), one.toLowerCase(), `${one}=`]) {
      expect(cache.get(near, nowMs, 0)).toBeUndefined();
    }
  });

  test('end with exp and the skew, as the verifier says', () => {
    const cache = createVerifiedTokens<VerifiedAccessToken>(limits);
    const text = accessToken();
    const put = (): void => cache.put(text, must(verifyAccessToken(text, rules())), 0);
    for (const [ms, expected] of [
      [329_999, 'accepted'],
      [330_000, 'expired'],
    ] as const) {
      put();
      expect(cache.get(text, nowMs + ms, 0) !== undefined).toBe(expected === 'accepted');
      expect(verdict(verifyAccessToken(text, rules({ nowMs: nowMs + ms })))).toBe(expected);
    }
    expect(cache.size).toBe(0);
  });

  test('A25, S80: a revoked key’s are gone at once, others stay', () => {
    const cache = createVerifiedTokens<ReturnType<typeof token>>(limits);
    cache.put('t1', token('a'), 0);
    cache.put('t2', token('b'), 0);
    cache.put('t3', token('a'), 0);
    cache.forgetKid('a');
    expect(['t1', 't2', 't3'].map((text) => cache.get(text, nowMs, 0)?.kid)).toEqual([undefined, 'b', undefined]);
    expect(cache.size).toBe(1);
  });

  test('A25, S80: with a new key set the verifier refuses what the old one accepted', () => {
    const cache = createVerifiedTokens<VerifiedAccessToken>(limits);
    const text = accessToken();
    cache.put(text, must(verifyAccessToken(text, rules())), 1);
    const after = rules({}, issuer({ keys: keySet([newKey()]) }));
    expect(cache.get(text, nowMs, 2)).toBeUndefined();
    expect(verdict(verifyAccessToken(text, after))).toBe('unknown-kid');
    expect(cache.get(text, nowMs, 1)).toBeUndefined();
  });

  test('the least recently used goes first', () => {
    const cache = createVerifiedTokens<ReturnType<typeof token>>(limits);
    for (const text of ['t1', 't2', 't3']) cache.put(text, token(), 0);
    expect(cache.get('t1', nowMs, 0)).toBeDefined();
    cache.put('t4', token(), 0);
    expect(['t1', 't2', 't3', 't4'].map((text) => cache.get(text, nowMs, 0) !== undefined)).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(cache.size).toBe(3);
  });

  test('A70: their texts have a bound together', () => {
    const cache = createVerifiedTokens<ReturnType<typeof token>>({ ...limits, maxTokens: 1_000, maxLength: 100 });
    for (let index = 0; index < 50; index += 1) cache.put(`${index}`.padStart(30, '0'), token(), 0);
    expect(cache.size).toBe(3);
    cache.put('x'.repeat(101), token(), 0);
    expect(cache.size).toBe(3);
    cache.put('x'.repeat(100), token(), 0);
    expect(cache.size).toBe(1);
    cache.put('x'.repeat(100), token('b'), 0);
    expect(cache.get('x'.repeat(100), nowMs, 0)?.kid).toBe('b');
  });
});
