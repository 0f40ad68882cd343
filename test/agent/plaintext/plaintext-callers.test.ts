import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { AgentEvent } from '#agent/events.ts';
import {
  maxCallers,
  sumReports,
  type CallerRecord,
  type LedgerReport,
  type PortRecord,
} from '#agent/plaintext/ledger-report.ts';
import { PlaintextCallers } from '#agent/plaintext/plaintext-callers.ts';
import { createFakeClock } from '#support/fake-clock.ts';

const minuteMs = 60_000;
const startMs = 1_000 * minuteMs;
const file = 'plaintext-callers.json';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'eastwest-callers-'));
  await chmod(dir, 0o700);
  return () => rm(dir, { recursive: true });
});

const caller = (address: string, changes: Partial<CallerRecord> = {}): CallerRecord => ({
  ...{ address, firstSeenMs: startMs, lastSeenMs: startMs, lastAdmittedMs: startMs, protocols: ['opaque'] },
  ...{ connections: 1, open: 0, admitted: 1, refused: 0, examples: [] },
  ...changes,
});
const observed = (port: Partial<PortRecord> = {}, changes = 1): LedgerReport => ({
  ...{ changes, document: null },
  ports: [
    {
      ...{ port: 7002, mode: 'PERMISSIVE', sinceMs: startMs, isUnchanged: true, callers: [], overflow: null },
      peers: { connections: 1, lastSeenMs: startMs, names: ['spiffe://a/ns/b/sa/c'] },
      ...port,
    },
  ],
});

function agent({ atMs = startMs, folder = dir as string | null, workload = 'prices' } = {}) {
  const events: AgentEvent[] = [];
  const clock = createFakeClock(atMs);
  const state = { now: observed({ sinceMs: atMs }) };
  const emit = (event: AgentEvent): void => void events.push(event);
  const callers = new PlaintextCallers({
    dir: folder ?? undefined,
    workload,
    clock,
    emit,
    observed: async () => state.now,
  });
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  return { callers, clock, events, state, run: () => callers.run(stop.signal), stop: () => stop.abort() };
}

/** One run of an agent that observes this, and then ends. */
async function ran(report: LedgerReport, options: { atMs?: number; workload?: string } = {}): Promise<void> {
  const { callers, state, run, stop } = agent(options);
  await callers.load();
  state.now = report;
  const running = run();
  stop();
  await running;
}

describe('over a restart', () => {
  test('who called is known, nobody is connected, and it counts as observed all the time', async () => {
    const before = caller('10.0.0.1', { open: 1, examples: ['GET /a'] });
    await ran(observed({ callers: [before, caller('10.0.0.2', { lastAdmittedMs: null })] }));
    expect(await readdir(dir)).toEqual([file]);
    expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600);
    const next = agent({ atMs: startMs + minuteMs });
    await next.callers.load();
    next.state.now = observed({
      sinceMs: startMs + minuteMs,
      callers: [caller('10.0.0.1', { lastAdmittedMs: startMs + minuteMs, open: 2, examples: ['GET /b'] })],
    });
    const { ports } = await next.callers.report();
    expect(ports).toMatchObject([{ mode: 'PERMISSIVE', sinceMs: startMs, peers: { connections: 2 } }]);
    expect(ports[0]?.callers).toMatchObject([
      { address: '10.0.0.1', connections: 2, admitted: 2, open: 2, examples: ['GET /a', 'GET /b'] },
      { address: '10.0.0.2', connections: 1, open: 0, lastAdmittedMs: null },
    ]);
    expect(ports[0]?.callers[0]?.lastAdmittedMs).toBe(startMs + minuteMs);
  });

  test.each([
    ['nobody looked for longer than a restart takes', { atMs: startMs + 11 * minuteMs }, {}],
    ['the clock went back', { atMs: startMs - minuteMs }, {}],
    ['the mode is another one', { atMs: startMs + minuteMs }, { mode: 'STRICT' as const }],
    ['the mode has changed meanwhile', { atMs: startMs + minuteMs }, { isUnchanged: false }],
  ])('observing begins anew where %s', async (_why, options, port) => {
    await ran(observed({ callers: [caller('10.0.0.1')] }));
    const next = agent(options);
    await next.callers.load();
    next.state.now = observed({ sinceMs: options.atMs, ...port });
    const { ports } = await next.callers.report();
    expect(ports[0]).toMatchObject({ sinceMs: options.atMs, callers: [{ address: '10.0.0.1' }] });
  });

  test('what is not there any more is forgotten: a port without a listener', async () => {
    await ran(observed({ port: 7009, callers: [caller('10.0.0.1')] }));
    const next = agent();
    await next.callers.load();
    expect((await next.callers.report()).ports).toMatchObject([{ port: 7002, callers: [] }]);
  });

  test.each([
    ['no JSON', '{', 'malformed'],
    ['another format', '{"format":2}', 'malformed'],
    ['half a port', '{"format":1,"workload":"prices","savedAtMs":1,"ports":[{"port":7002}]}', 'malformed'],
    ['a caller without numbers', undefined, 'malformed'],
    ['another workload’s', 'cart', 'other-workload'],
  ])('%s is told, and everything starts anew', async (what, text, reason) => {
    if (what === 'another workload’s') await ran(observed({ callers: [caller('a')] }), { workload: 'cart' });
    else if (text === undefined) {
      await ran(observed({ callers: [caller('a')] }));
      const kept = await readFile(join(dir, file), 'utf8');
      await writeFile(join(dir, file), kept.replace('"admitted":1', '"admitted":"1"'), { mode: 0o600 });
    } else await writeFile(join(dir, file), text, { mode: 0o600 });
    const next = agent();
    await next.callers.load();
    expect(next.events).toEqual([{ event: 'state.refused', reason: `${file}: ${reason}` }]);
    expect((await next.callers.report()).ports).toMatchObject([{ callers: [] }]);
  });

  test('a file that others can read is not believed', async () => {
    await ran(observed({ callers: [caller('a')] }));
    await chmod(join(dir, file), 0o644);
    const next = agent();
    await next.callers.load();
    expect(next.events).toEqual([{ event: 'state.refused', reason: `${file}: unsafe-file` }]);
  });
});

test('what changed is written within seconds, what did not only so that it counts as observed', async () => {
  const { callers, clock, state, run, stop } = agent();
  await callers.load();
  const savedAtMs = async (): Promise<number> =>
    (JSON.parse(await readFile(join(dir, file), 'utf8')) as { savedAtMs: number }).savedAtMs;
  const running = run();
  const rests = async (): Promise<void> => vi.waitFor(() => expect(clock.waiting()).toBe(1));
  await rests();
  expect(await savedAtMs()).toBe(startMs);
  await clock.advance(2_000);
  await rests();
  expect(await savedAtMs()).toBe(startMs);
  state.now = observed({ callers: [caller('a')] }, 2);
  await clock.advance(2_000);
  await rests();
  expect(await savedAtMs()).toBe(startMs + 4_000);
  await clock.advance(300_000);
  await vi.waitFor(async () => expect(await savedAtMs()).toBeGreaterThan(startMs + 4_000));
  stop();
  await running;
});

test('without a state folder nothing is written; what cannot be written is told once', async () => {
  const memory = agent({ folder: null });
  await memory.callers.load();
  await memory.run();
  expect((await memory.callers.report()).ports).toHaveLength(1);
  expect(await readdir(dir)).toEqual([]);
  const gone = agent({ folder: join(dir, 'gone', 'missing') });
  const running = gone.run();
  for (let changes = 2; changes < 5; changes += 1) {
    await vi.waitFor(() => expect(gone.clock.waiting()).toBe(1));
    gone.state.now = observed({}, changes);
    await gone.clock.advance(2_000);
  }
  gone.stop();
  await running;
  expect(gone.events.map(({ event }) => event)).toEqual(['state.not-kept']);
});

describe('what several workers saw', () => {
  test('is one ledger', () => {
    const sum = sumReports([
      observed({ callers: [caller('a', { open: 1 }), caller('b')], sinceMs: startMs }, 3),
      observed({ callers: [caller('a', { admitted: 4, lastAdmittedMs: startMs + 1 })], sinceMs: startMs + 1 }, 4),
    ]);
    expect(sum).toMatchObject({ changes: 7, ports: [{ port: 7002, sinceMs: startMs + 1, isUnchanged: true }] });
    expect(sum.ports[0]?.callers).toMatchObject([
      { address: 'a', admitted: 5, connections: 2, open: 1, lastAdmittedMs: startMs + 1 },
      { address: 'b', admitted: 1 },
    ]);
    expect(sum.ports[0]?.peers).toMatchObject({ connections: 2, names: ['spiffe://a/ns/b/sa/c'] });
  });

  test('is permissive as long as one of them is', () => {
    const strict = observed({ mode: 'STRICT', sinceMs: startMs + 5 });
    for (const both of [
      [strict, observed()],
      [observed(), strict],
    ]) {
      expect(sumReports(both).ports).toMatchObject([{ mode: 'PERMISSIVE', sinceMs: startMs + 5 }]);
    }
    expect(sumReports([strict, strict]).ports).toMatchObject([{ mode: 'STRICT' }]);
  });

  test('has no more callers than one of them: who was let in last is named, nobody is lost', () => {
    const many = (name: string, at: number | null) =>
      Array.from({ length: maxCallers }, (_, index) =>
        caller(`${name}${index}`, { lastAdmittedMs: at, admitted: at === null ? 0 : 1 }),
      );
    const { ports } = sumReports([
      observed({ callers: many('refused', null) }),
      observed({ callers: [...many('let-in', startMs), caller('last', { lastAdmittedMs: startMs + 1 })] }),
    ]);
    expect(ports[0]?.callers).toHaveLength(maxCallers);
    expect(ports[0]?.callers.every(({ address }) => !address.startsWith('refused'))).toBe(true);
    expect(ports[0]?.callers).toContainEqual(expect.objectContaining({ address: 'last' }));
    expect(ports[0]?.overflow).toMatchObject({ connections: maxCallers + 1, admitted: 1, lastAdmittedMs: startMs });
  });
});
