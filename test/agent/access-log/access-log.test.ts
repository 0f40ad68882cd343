import { describe, expect, test } from 'vitest';
import { createAccessLog, type AccessLogParts, type Parties } from '#agent/access-log/access-log.ts';
import { problemAnswer } from '#agent/http/answers.ts';
import type { RequestEnd } from '#agent/http/service.ts';
import { requestFor } from '#support/ask.ts';
import { createFakeClock } from '#support/fake-clock.ts';

const clock = createFakeClock(Date.UTC(2026, 2, 1, 12, 0, 7, 45));

const pricesId = 'spiffe://shop.example/ns/shop/sa/prices';

const parties: Parties = {
  direction: 'inbound',
  peer: 'spiffe://shop.example/ns/default/sa/cart',
  client: undefined,
  destination: 'prices:7002',
};

const end = (changes: Partial<RequestEnd> = {}): RequestEnd => ({
  ...{ request: requestFor('/price?sku=secret'), startedMs: 0, status: 200, answeredBy: 'app', decisionId: undefined },
  ...{ grpcStatus: undefined, outcome: 'complete', requestBytes: 3, responseBytes: 12 },
  ...changes,
});

function recording(options: Partial<AccessLogParts> = {}) {
  const written: string[] = [];
  const log = createAccessLog({
    ...{ workload: 'prices', spiffeId: () => pricesId, sample: 1, failures: 'always', clock, random: () => 0.5 },
    write: (line) => void written.push(line),
    ...options,
  });
  return { log, written, lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('a request is one line of JSON, without its query string', () => {
  const { log, written, lines } = recording();
  log.request(parties, end(), 1.23456);
  expect(lines()).toEqual([
    {
      time: '2026-03-01T12:00:07.045Z',
      workload: 'prices',
      spiffeId: pricesId,
      direction: 'inbound',
      peer: 'spiffe://shop.example/ns/default/sa/cart',
      destination: 'prices:7002',
      protocol: 'HTTP/1.1',
      method: 'GET',
      path: '/price',
      status: 200,
      durationMs: 1.235,
      requestBytes: 3,
      responseBytes: 12,
      outcome: 'ok',
    },
  ]);
  expect(written[0]).toMatch(/^\{.*\}\n$/);
  expect(written[0]).not.toContain('secret');
});

test.each([
  [{ status: 500 }, 'ok'],
  [{ status: 403, answeredBy: 'agent', decisionId: 'd1' }, 'denied'],
  [{ status: 503, answeredBy: 'agent', decisionId: 'd2' }, 'failed'],
  [{ status: 502, answeredBy: 'us', decisionId: 'd3' }, 'failed'],
  [{ status: 400, answeredBy: 'us', decisionId: 'd4' }, 'denied'],
  [{ status: 200, outcome: 'cut' }, 'cut'],
] as const)('%j is told as %s', (changes, outcome) => {
  const { log, lines } = recording();
  log.request(parties, end(changes), 1);
  const { decisionId } = { decisionId: undefined, ...changes };
  expect(lines()[0]).toMatchObject({ outcome, status: changes.status, ...(decisionId && { decisionId }) });
});

test('a gRPC call is told with its own status', () => {
  const { log, lines } = recording();
  log.request(parties, end({ grpcStatus: 0 }), 1);
  log.request(parties, end({ grpcStatus: 5 }), 1);
  expect(lines().map(({ grpcStatus }) => grpcStatus)).toEqual([0, 5]);
});

test('an opaque stream is one line at its end, an upgraded request another kind of it', () => {
  const { log, lines } = recording();
  const bytes = { startedMs: 0, requestBytes: 70, responseBytes: 8 };
  log.stream(parties, { outcome: 'ended', request: undefined, ...bytes }, 9_000);
  log.stream(parties, { outcome: 'cut', request: requestFor('/socket?token=secret'), ...bytes }, 9_000);
  const common = { durationMs: 9_000, requestBytes: 70, responseBytes: 8 };
  expect(lines()).toMatchObject([
    { protocol: 'opaque', outcome: 'ok', ...common },
    { protocol: 'HTTP/1.1', method: 'GET', path: '/socket', status: 101, outcome: 'cut', ...common },
  ]);
  expect(lines()[0]).not.toHaveProperty('status');
});

test('what was refused is a line too, with its decision: a request, a stream, and what could not be read', () => {
  const { log, lines } = recording();
  const answer = problemAnswer(403, 'no', 'd-1');
  const [denied, bad] = [{ reason: 'no-rule-matches' }, { reason: 'bad-header' }];
  log.denied(parties, requestFor('/price?sku=secret').head, { answer, ...denied });
  log.denied(parties, 'opaque', { answer, ...denied });
  log.failed(parties, 'unread', { answer: problemAnswer(400, 'no', 'd-2'), ...bad });
  expect(lines()).toMatchObject([
    {
      protocol: 'HTTP/1.1',
      method: 'GET',
      path: '/price',
      status: 403,
      outcome: 'denied',
      decisionId: 'd-1',
      ...denied,
    },
    { protocol: 'opaque', outcome: 'denied', decisionId: 'd-1', ...denied },
    { protocol: 'HTTP', status: 400, outcome: 'failed', decisionId: 'd-2', ...bad },
  ]);
});

describe('with sampling', () => {
  const shares = [0.1, 0.3, 0.6, 0.9];

  test('a share of the requests is written', () => {
    const left = [...shares];
    const { log, written } = recording({ sample: 0.5, random: () => left.shift() ?? 0 });
    for (const _ of shares) log.request(parties, end(), 1);
    expect(written).toHaveLength(2);
  });

  test.each([
    ['always', 4],
    ['sampled', 0],
  ] as const)('failures are %s written', (failures, count) => {
    const { log, written } = recording({ sample: 0, failures });
    log.request(parties, end(), 1);
    log.request(parties, end({ status: 500 }), 1);
    log.request(parties, end({ outcome: 'cut' }), 1);
    log.request(parties, end({ status: 403, answeredBy: 'agent' }), 1);
    log.denied(parties, 'opaque', { answer: problemAnswer(403, 'no'), reason: 'no-rule-matches' });
    expect(written).toHaveLength(count);
  });
});

describe('A74: what callers write cannot forge a line or make it grow', () => {
  test.each(['"}\n{"forged":true}', '\u0000\u001b[31m', '\u2028\\'])('a path %j stays one text', (path) => {
    const { log, written, lines } = recording();
    const request = { ...requestFor('/'), target: path };
    log.request(parties, end({ request }), 1);
    expect(written[0]!.match(/\n/g)).toHaveLength(1);
    expect(lines()[0]).toMatchObject({ path });
    expect(lines()[0]).not.toHaveProperty('forged');
  });

  test('a very long one is cut', () => {
    const { log, written } = recording();
    log.request(parties, end({ request: { ...requestFor('/'), target: `/${'a'.repeat(60_000)}` } }), 1);
    expect(written[0]!.length).toBeLessThan(3_000);
  });
});
