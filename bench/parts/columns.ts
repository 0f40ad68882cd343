import type { Column } from './part.ts';

/** For figures of `requestMetrics`. */
export function requestColumns(unit: 'request' | 'message'): readonly Column[] {
  return [
    { metric: 'cpu_us_per_request', title: `CPU µs per ${unit}`, digits: 1, ratio: 'with-ratio' },
    { metric: 'cpu_egress_us_per_request', title: 'egress', digits: 1, ratio: 'alone' },
    { metric: 'cpu_ingress_us_per_request', title: 'ingress', digits: 1, ratio: 'alone' },
    { metric: 'cpu_harness_us_per_request', title: 'harness', digits: 1, ratio: 'alone' },
    { metric: 'instructions_per_request', title: 'instructions', digits: 0, ratio: 'with-ratio' },
    { metric: 'requests_per_s', title: `${unit}s/s`, digits: 0, ratio: 'with-ratio' },
    { metric: 'p50_ms', title: 'p50 ms', digits: 3, ratio: 'with-ratio' },
    { metric: 'p99_ms', title: 'p99 ms', digits: 3, ratio: 'with-ratio' },
  ];
}
