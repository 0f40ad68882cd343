import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { renewAtMs, retryAtMs } from '#certs/renewal.ts';

const life = fc
  .record({ issuedAtMs: fc.integer({ min: 0, max: 4e12 }), lifeMs: fc.integer({ min: 2000, max: 1e11 }) })
  .map(({ issuedAtMs, lifeMs }) => ({ issuedAtMs, notAfterMs: issuedAtMs + lifeMs }));
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('renewAtMs', () => {
  test.each([
    [0, 5000],
    [0.5, 5800],
    [0.999_999, 6599.998_4],
  ])('with chance %d, a certificate of 10 s issued at 0 is renewed at %d ms', (chance, expected) => {
    expect(renewAtMs({ issuedAtMs: 0, notAfterMs: 10_000 }, chance)).toBeCloseTo(expected, 3);
  });

  test('is between 50 % and 66 % of life, never after expiry', () => {
    fc.assert(
      fc.property(life, random, (span, chance) => {
        const part = (renewAtMs(span, chance) - span.issuedAtMs) / (span.notAfterMs - span.issuedAtMs);
        expect(part).toBeGreaterThanOrEqual(0.4999);
        expect(part).toBeLessThan(0.6601);
        expect(renewAtMs(span, chance)).toBeLessThan(span.notAfterMs);
      }),
    );
  });
});

describe('retryAtMs', () => {
  test('lies after now, within a twelfth of what is left or 250 ms, and never after expiry', () => {
    fc.assert(
      fc.property(life, fc.double({ min: 0, max: 0.999, noNaN: true }), random, (span, part, chance) => {
        const nowMs = Math.floor(span.issuedAtMs + (span.notAfterMs - span.issuedAtMs) * part);
        const atMs = retryAtMs(span, nowMs, chance);
        expect(atMs).toBeGreaterThan(nowMs);
        expect(atMs).toBeLessThanOrEqual(span.notAfterMs);
        expect(atMs - nowMs).toBeLessThanOrEqual(Math.max(250, (span.notAfterMs - nowMs) / 12) + 1);
      }),
    );
  });

  test('tries come closer together as expiry nears, and a certificate of an hour sees dozens of them', () => {
    const span = { issuedAtMs: 0, notAfterMs: 3_600_000 };
    const tries = [renewAtMs(span, 0.5)];
    for (let at = tries[0] ?? 0; at < span.notAfterMs; at = tries.at(-1) ?? at) tries.push(retryAtMs(span, at, 0.5));
    const gaps = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
    expect(gaps.every((gap, index) => gap <= (gaps[index - 1] ?? Infinity) + 1e-6)).toBe(true);
    expect(tries.length).toBeGreaterThan(50);
    expect(tries.length).toBeLessThan(500);
    expect(tries.at(-1)).toBe(span.notAfterMs);
  });

  test('after expiry they go on, each within 250 ms', () => {
    fc.assert(
      fc.property(life, fc.nat(1e9), random, (span, lateMs, chance) => {
        const waitMs = retryAtMs(span, span.notAfterMs + lateMs, chance) - span.notAfterMs - lateMs;
        expect(waitMs).toBeGreaterThan(20);
        expect(waitMs).toBeLessThanOrEqual(250);
      }),
    );
  });
});
