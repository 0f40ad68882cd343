import { describe, expect, test } from 'vitest';
import type { Output } from '#cli/edge.ts';
import { describeEvent } from '#cli/up/describe.ts';
import type { UpEvent, View } from '#cli/up/events.ts';
import { jsonReporter, plainReporter, tableReporter } from '#cli/up/reporters.ts';
import type { Summary } from '#cli/up/summary.ts';
import { renderTable } from '#cli/up/table.ts';

const notAfter = '2026-03-01T12:00:20.000Z';
const crashed: UpEvent = {
  event: 'part.crashed',
  part: 'app',
  workload: 'prices',
  exit: { code: 1, signal: undefined },
  error: null,
  lastLine: 'Error: no',
  restartInMs: 1500,
  logFile: '/logs/prices.app.log',
};

const lines: readonly (readonly [UpEvent, string])[] = [
  [
    {
      event: 'up.starting',
      mesh: 'shop',
      trustDomain: 'shop.example',
      workloads: 3,
      svidLifeMs: 20_000,
      stateDir: '/s',
    },
    'shop: 3 workloads, trust domain shop.example, certificates live 20s',
  ],
  [{ event: 'up.ready', tookMs: 2345 }, 'ready after 2.3 s; Ctrl-C stops everything'],
  [
    { event: 'up.waiting', part: 'agent', workload: 'prices', why: 'svid-missing', lastLine: 'issue.failed' },
    'prices: agent waits: svid-missing (issue.failed)',
  ],
  [
    { event: 'up.waiting', part: 'app', workload: 'a', why: 'port 9001 is not open', lastLine: null },
    'a: app waits: port 9001 is not open',
  ],
  [{ event: 'up.stopping', why: 'stopped by SIGINT' }, 'stopping: stopped by SIGINT'],
  [{ event: 'control-plane.ready', address: '127.0.0.1:1' }, 'control plane ready at 127.0.0.1:1'],
  [
    { event: 'agent.ready', workload: 'prices', spiffeId: 'spiffe://a/b', inbound: '127.0.0.1:2', notAfter },
    'prices: agent ready at 127.0.0.1:2 as spiffe://a/b',
  ],
  [{ event: 'app.ready', workload: 'orders', ports: [7003, 7004] }, 'orders: app ready on port 7003 and 7004'],
  [{ event: 'app.ready', workload: 'job', ports: [] }, 'job: app ready'],
  [
    { event: 'app.late', workload: 'prices', ports: [7002], waitedMs: 30_000 },
    'prices: the app does not listen on 7002 after 30s; is that where it listens?',
  ],
  [
    { event: 'app.twin-started', workload: 'prices', missing: 'python3', instead: 'node prices.js' },
    'prices: python3 is not on PATH here, so its twin is started instead: node prices.js',
  ],
  [{ event: 'app.output', workload: 'prices', line: 'hello' }, 'prices | hello'],
  [crashed, 'prices: app ended with code 1 (Error: no); next start in 1.5 s; log: /logs/prices.app.log'],
  [
    { ...crashed, part: 'control-plane', workload: null, exit: { code: undefined, signal: 'SIGKILL' }, lastLine: null },
    'control plane was ended by SIGKILL; next start in 1.5 s; log: /logs/prices.app.log',
  ],
  [
    { ...crashed, part: 'agent', exit: null, error: 'no token', lastLine: null },
    'prices: agent could not start: no token; next start in 1.5 s; log: /logs/prices.app.log',
  ],
  [{ event: 'part.restarted', part: 'agent', workload: 'prices', starts: 2 }, 'prices: agent started again (start 2)'],
  [
    { event: 'svid.rotated', workload: 'prices', rotations: 3, notAfter },
    'prices: certificate rotated (3), now valid until 12:00:20Z',
  ],
  [
    { event: 'path.proved', path: ['storefront', 'prices', 'orders'], by: 'echo' },
    'storefront → prices → orders over mTLS (each app was told its verified caller)',
  ],
  [{ event: 'path.proved', path: ['a', 'b'], by: 'counters' }, 'a → b over mTLS (counted by the agents on every hop)'],
  [{ event: 'traffic.failed', url: 'http://x/', why: '502', failed: 2 }, 'request failed (2): http://x/: 502'],
  [{ event: 'progress', requests: 10, failed: 1, resets: 0, denied: 0 }, 'requests 9 ok, 1 failed, 0 resets'],
  [{ event: 'progress', requests: 10, failed: 1, resets: 2, denied: 3 }, 'requests 9 ok, 1 failed, 2 resets, 3 denied'],
];

test.each(lines)('%o reads well', (event, line) => {
  expect(describeEvent(event)).toBe(line);
});

const summary: Summary = {
  requests: 12,
  failed: 1,
  resets: 0,
  workloads: [
    {
      name: 'prices',
      spiffeId: 'spiffe://shop.example/ns/default/sa/prices',
      ports: { inbound: '127.0.0.1:2', app: [7002], upstreams: {}, admin: '127.0.0.1:3' },
      rotations: 4,
      notAfter,
    },
  ],
  denied: 0,
};

const view: View = {
  mesh: 'shop',
  summary,
  nowMs: 1_000_000,
  readyForMs: 62_000,
  path: ['storefront', 'prices'],
  rows: [{ name: 'prices', app: 'running', agent: 'ready', notAfterMs: 1_012_500, requests: 7, failed: 1 }],
};

describe('the table', () => {
  test('shows identity, expiry, rotations and calls of each workload', () => {
    expect(renderTable(view, 200)).toEqual([
      '',
      'shop  up 62s  storefront → prices over mTLS',
      'WORKLOAD  APP      AGENT  EXPIRES IN  ROTATIONS  CALLS OK  FAILED  SPIFFE ID',
      'prices    running  ready         12s          4         6       1  spiffe://shop.example/ns/default/sa/prices',
      'requests 11 ok, 1 failed, 0 resets',
    ]);
  });

  test('is never wider than the terminal', () => {
    for (const line of renderTable(view, 40)) expect(line.length).toBeLessThan(40);
  });

  test.each([
    [100, 'WORKLOAD  APP      AGENT  EXPIRES IN  ROTATIONS  CALLS OK  FAILED'],
    [60, 'WORKLOAD  AGENT  EXPIRES IN  ROTATIONS  CALLS OK  FAILED'],
    [55, 'WORKLOAD  EXPIRES IN  ROTATIONS  CALLS OK  FAILED'],
  ])('leaves the least important columns out at %d', (width, titles) => {
    expect(renderTable(view, width)[2]).toBe(titles);
  });

  test('stays below the events', () => {
    const screen = recorder();
    const reporter = tableReporter(screen.output);
    reporter.show(view);
    reporter.report({ event: 'app.ready', workload: 'prices', ports: [7002] });
    reporter.report({ event: 'progress', requests: 1, failed: 0, resets: 0, denied: 0 });
    const [first, second, ...rest] = screen.written;
    expect(first).toMatch(/^\r\u001B\[0J\nshop/);
    expect(second).toMatch(/^\r\u001B\[5A\u001B\[0Jprices: app ready on port 7002\n\nshop/);
    expect(rest).toEqual([]);
  });
});

test('plain lines end with the totals', () => {
  const screen = recorder();
  const reporter = plainReporter(screen.output);
  for (const [event] of lines) reporter.report(event);
  reporter.finish(summary);
  expect(screen.written).toEqual([...lines.map(([, line]) => `${line}\n`), 'requests 11 ok, 1 failed, 0 resets\n']);
});

test('--json is one object per line, the summary last, without what apps print', () => {
  const screen = recorder();
  const reporter = jsonReporter(screen.output);
  for (const [event] of lines) reporter.report(event);
  reporter.show(view);
  reporter.finish(summary);
  const objects = screen.written.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(objects.length).toBe(lines.length); // without app.output, with the summary
  expect(objects.at(-1)).toEqual(summary);
  expect(objects.slice(0, -1).every((object) => typeof object['event'] === 'string')).toBe(true);
});

function recorder(): { output: Output; written: string[] } {
  const written: string[] = [];
  return { written, output: { write: (text) => void written.push(text), isTerminal: true, columns: () => 120 } };
}
