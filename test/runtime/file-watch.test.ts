import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { watchFolder } from '#runtime/file-watch.ts';
import { systemClock } from '#runtime/system-clock.ts';
import { createFakeClock } from '#support/fake-clock.ts';

async function freshDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'eastwest-watch-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Watches for real; `seen` is what each look found in `file`. */
function watchFile(dir: string, file: string, pollMs: number): { seen: string[] } {
  const stop = new AbortController();
  const seen: string[] = [];
  const look = async () => {
    seen.push(await readFile(join(dir, file), 'utf8').catch(() => 'missing'));
  };
  const watching = watchFolder(dir, look, { pollMs, settleMs: 10, clock: systemClock }, stop.signal);
  watching.catch(() => undefined);
  onTestFinished(async () => {
    stop.abort(new Error('done'));
    await expect(watching).rejects.toThrow('done');
  });
  return { seen };
}

const noPoll = 3_600_000;

describe('a watched folder, with polling out of reach', () => {
  test('is looked at when the watch starts and again after a change', async () => {
    const dir = await freshDir();
    const { seen } = watchFile(dir, 'a', noPoll);
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(1)); // at the start, and when the watcher is in place
    expect(seen.at(-1)).toBe('missing');
    await writeFile(join(dir, 'a'), 'one');
    await vi.waitFor(() => expect(seen.at(-1)).toBe('one'), 5_000);
    await writeFile(join(dir, 'a'), 'two');
    await vi.waitFor(() => expect(seen.at(-1)).toBe('two'), 5_000);
  });

  test('notices how Kubernetes swaps the `..data` link (A69)', async () => {
    const dir = await freshDir();
    await mkdir(join(dir, '..v1'));
    await writeFile(join(dir, '..v1', 'a'), 'one');
    await symlink('..v1', join(dir, '..data'));
    await symlink('..data/a', join(dir, 'a'));
    const { seen } = watchFile(dir, 'a', noPoll);
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(1));
    expect(seen.at(-1)).toBe('one');
    for (const version of ['v2', 'v3']) {
      await mkdir(join(dir, `..${version}`));
      await writeFile(join(dir, `..${version}`, 'a'), version);
      await symlink(`..${version}`, join(dir, '..data_tmp'));
      await rename(join(dir, '..data_tmp'), join(dir, '..data'));
      await vi.waitFor(() => expect(seen.at(-1)).toBe(version), 5_000);
    }
  });
});

describe('a notice that never comes (A69)', () => {
  test('is made up for by polling, also for a folder that was not there', async () => {
    const dir = join(await freshDir(), 'later');
    const { seen } = watchFile(dir, 'a', 30);
    await vi.waitFor(() => expect(seen).toContain('missing'));
    await mkdir(dir);
    await writeFile(join(dir, 'a'), 'one');
    await vi.waitFor(() => expect(seen.at(-1)).toBe('one'), 5_000);
    await rm(dir, { recursive: true });
    await vi.waitFor(() => expect(seen.at(-1)).toBe('missing'), 5_000);
    await mkdir(dir);
    await writeFile(join(dir, 'a'), 'one');
    await vi.waitFor(() => expect(seen.at(-1)).toBe('one'), 5_000);
  });
});

test('what the look throws ends the watch, and nothing is left behind', async () => {
  const clock = createFakeClock(0);
  const watching = watchFolder(
    await freshDir(),
    () => Promise.reject(new Error('broken')),
    { pollMs: 10, settleMs: 1, clock },
    new AbortController().signal,
  );
  await expect(watching).rejects.toThrow('broken');
  expect(clock.waiting()).toBe(0);
});
