import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Latencies } from '#bench/load/latencies.ts';
import { percentile } from '#bench/statistics.ts';

describe('latencies', () => {
  test('are told to the microsecond below a millisecond and within 0.4 % above, never too short', () => {
    const samples = fc.array(fc.double({ min: 0, max: 200_000, noNaN: true }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(samples, fc.constantFrom(0, 0.5, 0.99, 0.999, 1), (ms, share) => {
        const latencies = new Latencies();
        for (const each of ms) latencies.add(each);
        const exact = percentile(ms, share);
        const told = latencies.percentile(share);
        expect(told).toBeGreaterThanOrEqual(exact - 1e-9);
        expect(told).toBeLessThanOrEqual(Math.max(exact + 0.001, exact * 1.004));
      }),
    );
  });

  test('of none there is no percentile, and none are left after clearing', () => {
    const latencies = new Latencies();
    expect(latencies.percentile(0.5)).toBeNaN();
    latencies.add(5);
    latencies.clear();
    expect(latencies.percentile(0.5)).toBeNaN();
    expect(latencies.total).toBe(0);
  });
});
