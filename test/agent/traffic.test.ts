import { describe, expect, test } from 'vitest';
import { renderMetrics } from '#agent/admin/exposition.ts';
import { maxLabels } from '#agent/admin/labelled-counter.ts';
import { createCounters, type AgentCounters } from '#agent/admin/metrics.ts';
import { copyCounters, sumCounters } from '#agent/admin/sum-counters.ts';
import { durationBoundsMs, Traffic } from '#agent/admin/traffic.ts';
import type { RequestEnd } from '#agent/http/service.ts';
import { requestFor } from '#support/ask.ts';

const end = (status: number): RequestEnd => ({
  ...{ request: requestFor('/'), startedMs: 0, status, answeredBy: 'app', decisionId: undefined },
  ...{ grpcStatus: undefined, outcome: 'complete', requestBytes: 3, responseBytes: 12 },
});

async function exposed(counters: AgentCounters): Promise<string[]> {
  const { text } = await renderMetrics({
    ...{ workload: 'prices', identity: undefined, workers: [], tokens: undefined },
    source: { controlPlane: 'none', rotations: 0, joinTokenUses: 0, skewMs: 0 },
    readiness: { ready: true, blockers: [], warnings: [] },
    counters,
  });
  return text.split('\n');
}

test.each([
  [0, 0],
  [0.5, 0],
  [0.51, 1],
  [9.9, 4],
  [10_000, durationBoundsMs.length - 1],
  [10_000.1, durationBoundsMs.length],
  [-0.2, 0],
])('a request of %d ms is counted in bucket %i', (durationMs, bucket) => {
  const traffic = new Traffic();
  traffic.finished(durationMs, end(200));
  expect(traffic.durations.findIndex((count) => count === 1)).toBe(bucket);
});

describe('as a Prometheus scraper sees it', () => {
  test('buckets are cumulative, and sum and count fit', async () => {
    const counters = createCounters();
    for (const durationMs of [0.2, 3, 3, 70_000]) counters.inbound.finished(durationMs, end(200));
    const lines = await exposed(counters);
    const name = 'eastwest_request_duration_seconds';
    const counts = lines
      .filter((line) => line.startsWith(`${name}_bucket{direction="inbound"`))
      .map((line) => Number(line.split(' ')[1]));
    expect(counts).toEqual([1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 4]);
    expect(lines).toContain(`${name}_bucket{direction="inbound",le="0.0005"} 1`);
    expect(lines).toContain(`${name}_bucket{direction="inbound",le="+Inf"} 4`);
    expect(lines).toContain(`${name}_count{direction="inbound"} 4`);
    const sum = lines.find((line) => line.startsWith(`${name}_sum{direction="inbound"}`));
    expect(Number(sum?.split(' ')[1])).toBeCloseTo(70.0062);
  });

  test('statuses, bytes, gauges and failures have their direction', async () => {
    const counters = createCounters();
    counters.outbound.finished(1, end(204));
    counters.gateway.finished(1, end(0));
    counters.inbound.streamEnded({
      outcome: 'cut',
      request: undefined,
      startedMs: 0,
      requestBytes: 5,
      responseBytes: 6,
    });
    counters.inbound.failed('no-rule-matches', 'spiffe://shop.example/ns/default/sa/cart');
    counters.connections = 7;
    counters.inboundRequestsInFlight = 8;
    expect(await exposed(counters)).toEqual(
      expect.arrayContaining([
        'eastwest_responses_total{direction="outbound",class="2xx"} 1',
        'eastwest_responses_total{direction="gateway",class="none"} 1',
        'eastwest_bytes_total{direction="outbound",way="request"} 3',
        'eastwest_bytes_total{direction="inbound",way="response"} 6',
        'eastwest_failures_total{direction="inbound",reason="no-rule-matches",peer="spiffe://shop.example/ns/default/sa/cart"} 1',
        'eastwest_connections{direction="outbound"} 7',
        'eastwest_requests_in_flight{direction="inbound"} 8',
      ]),
    );
  });

  test('every metric has its help and its type before its values, and no series is there twice', async () => {
    const counters = createCounters();
    counters.outbound.failed('unreachable', 'prices');
    counters.outbound.finished(1, end(200));
    counters.requestsByPeer.add('prices');
    const lines = (await exposed(counters)).filter((line) => line !== '');
    const series = lines.filter((line) => !line.startsWith('#')).map((line) => line.slice(0, line.lastIndexOf(' ')));
    expect(new Set(series).size).toBe(series.length);
    let current = '';
    for (const [at, line] of lines.entries()) {
      if (line.startsWith('# HELP')) {
        current = line.split(' ')[2] ?? '';
        expect(lines[at + 1]).toMatch(new RegExp(`^# TYPE ${current} (counter|gauge|histogram)$`));
      } else if (!line.startsWith('#')) {
        expect(line).toMatch(new RegExp(`^${current}(_bucket|_sum|_count)?(\\{[^}]*\\})? \\S+$`));
        expect(line).toMatch(/^eastwest_[a-z_]+/);
      }
    }
  });

  test('A74: a peer’s name cannot forge a line, and more peers than some are counted together', async () => {
    const counters = createCounters();
    counters.outbound.failed('unreachable', 'a"} 1\neastwest_forged 1\\');
    for (let at = 0; at < maxLabels + 50; at += 1)
      counters.inbound.failed('no-rule-matches', `spiffe://shop.example/${at}`);
    const lines = await exposed(counters);
    expect(lines.filter((line) => line.startsWith('eastwest_forged'))).toEqual([]);
    const peers = lines.filter((line) => line.startsWith('eastwest_failures_total{direction="inbound"'));
    expect(peers).toHaveLength(maxLabels + 1);
    expect(peers).toContain('eastwest_failures_total{direction="inbound",reason="no-rule-matches",peer="other"} 50');
  });
});

test('what several threads counted adds up', () => {
  const [one, other] = [createCounters(), createCounters()];
  for (const counters of [one, other]) {
    counters.inbound.finished(0.2, end(200));
    counters.inbound.finished(20, end(503));
    counters.inbound.failed('bad-response', 'a peer with blanks');
    counters.requestsInFlight = 2;
  }
  const sum = sumCounters([copyCounters(one), structuredClone(copyCounters(other))]);
  expect(sum.requestsInFlight).toBe(4);
  expect(sum.inbound).toMatchObject({ requestBytes: 12, responseBytes: 48 });
  expect(sum.inbound.durationSumMs).toBeCloseTo(40.4);
  expect(sum.inbound.durations.reduce((a, b) => a + b)).toBe(4);
  expect(sum.inbound.statuses).toEqual([0, 0, 2, 0, 0, 2]);
  expect([...sum.inbound.failures.get('bad-response')!.entries()]).toEqual([['a peer with blanks', 2]]);
});
