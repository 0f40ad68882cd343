import { expect, test } from 'vitest';
import { createSamples } from '#bench/samples.ts';

test('samples become figures, and a gap takes back what was found before it', () => {
  const samples = createSamples();
  samples.add('get-1', 'nginx', { p50_ms: 1, p99_ms: 3 });
  samples.add('get-1', 'nginx', { p50_ms: 2 });
  samples.add('get-1', 'envoy', { p50_ms: 9 });
  samples.add('get-64', 'envoy', { p50_ms: 9 });
  samples.miss({ subject: 'envoy', scenario: 'get-1', why: 'failed: first' });
  samples.miss({ subject: 'envoy', scenario: 'get-1', why: 'failed: second' });
  expect(samples.misses('get-1', 'envoy')).toBe(true);
  expect(samples.misses('get-64', 'envoy')).toBe(false);
  expect(samples.findings()).toEqual({
    figures: [
      { scenario: 'get-1', subject: 'nginx', metric: 'p50_ms', samples: [1, 2] },
      { scenario: 'get-1', subject: 'nginx', metric: 'p99_ms', samples: [3] },
      { scenario: 'get-64', subject: 'envoy', metric: 'p50_ms', samples: [9] },
    ],
    gaps: [{ subject: 'envoy', scenario: 'get-1', why: 'failed: first' }],
  });
});
