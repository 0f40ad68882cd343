import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { AgentEvent } from '#agent/events.ts';
import { KeptPolicies } from '#agent/policy/kept-policies.ts';
import { createFakeClock } from '#support/fake-clock.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'eastwest-kept-'));
  await chmod(dir, 0o700);
  return () => rm(dir, { recursive: true });
});

function open(workload = 'prices') {
  const events: AgentEvent[] = [];
  const clock = createFakeClock(0);
  const kept = new KeptPolicies({ dir, workload, clock, emit: (event) => void events.push(event) });
  const stop = new AbortController();
  /** Until the signal aborts; resolves when all is written. */
  const run = () => kept.run(stop.signal).catch((error: unknown) => error);
  onTestFinished(() => stop.abort());
  return { kept, events, clock, run, stop: () => stop.abort('stopped') };
}

const written = async (): Promise<unknown> =>
  (JSON.parse(await readFile(join(dir, 'policies.json'), 'utf8')) as { revision: unknown }).revision;
const set = (revision: number) => ({ revision, documents: [{ name: 'a' }, { name: 'b' }] });

test('what was saved is there at the next start, for this user alone', async () => {
  const { kept, run, stop } = open();
  const running = run();
  kept.save(set(7));
  stop();
  expect(await running).toBe('stopped');
  expect(await readdir(dir)).toEqual(['policies.json']);
  expect((await stat(join(dir, 'policies.json'))).mode & 0o777).toBe(0o600);
  expect(await open().kept.load()).toEqual(set(7));
});

test('a storm of changes is written once a second, the newest at last', async () => {
  const { kept, clock, run, stop } = open();
  const running = run();
  kept.save(set(1));
  await vi.waitFor(() => expect(clock.waiting()).toBe(1)); // written, and at rest
  for (let revision = 2; revision <= 50; revision += 1) {
    kept.save(set(revision));
    await clock.advance(10);
  }
  expect(await written()).toBe(1);
  await clock.advance(1_000);
  await vi.waitFor(async () => expect(await written()).toBe(50));
  stop();
  await running;
  expect(clock.waiting()).toBe(0);
});

test.each([
  ['nothing', undefined, []],
  ['rubbish', '{', ['policies.json: malformed']],
  ['another format', '{"format":2}', ['policies.json: malformed']],
  [
    'those of another workload',
    '{"format":1,"workload":"orders","revision":1,"documents":[]}',
    ['policies.json: other-workload'],
  ],
])('%s in the folder is not used, which is told', async (_name, text, reasons) => {
  if (text !== undefined) await writeFile(join(dir, 'policies.json'), text, { mode: 0o600 });
  const { kept, events } = open();
  expect(await kept.load()).toBeUndefined();
  expect(events).toEqual(reasons.map((reason) => ({ event: 'state.refused', reason })));
});

test('a file that others can read is not used', async () => {
  await writeFile(join(dir, 'policies.json'), '{"format":1,"workload":"prices","revision":1,"documents":[]}');
  await chmod(join(dir, 'policies.json'), 0o644);
  const { kept, events } = open();
  expect(await kept.load()).toBeUndefined();
  expect(events).toEqual([{ event: 'state.refused', reason: 'policies.json: unsafe-file' }]);
});

test('a folder that cannot be written is told, and the agent goes on', async () => {
  const { kept, events, run, stop } = open();
  const running = run();
  await rm(dir, { recursive: true });
  kept.save(set(1));
  stop();
  await running;
  expect(events).toMatchObject([{ event: 'state.not-kept' }]);
  dir = await mkdtemp(join(tmpdir(), 'eastwest-kept-'));
});
