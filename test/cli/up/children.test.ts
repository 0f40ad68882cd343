import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { createStartChild } from '#cli/up/child.ts';
import { startKeeper } from '#cli/up/keeper.ts';
import { until } from '#cli/up/until.ts';
import { systemClock } from '#runtime/system-clock.ts';

const never = new AbortController().signal;
const started: number[] = [];

function signalGroup(pid: number, signal: 'SIGTERM' | 'SIGKILL' | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

const startChild = createStartChild({ clock: systemClock, signalGroup });
const gone = (pid: number) =>
  until(() => !signalGroup(pid, 0), { deadlineMs: 10_000, clock: systemClock, signal: never });

async function startShell(script: string, input?: string) {
  const lines: string[] = [];
  const child = await startChild({
    argv: ['/bin/sh', '-c', script],
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '', GREETING: 'hello' },
    input,
    onLine: (stream, line) => lines.push(`${stream}: ${line}`),
  });
  started.push(child.pid);
  const said = (line: string) =>
    until(() => lines.includes(`stdout: ${line}`), { deadlineMs: 10_000, clock: systemClock, signal: never });
  return { child, lines, said };
}

afterEach(() => {
  for (const pid of started.splice(0)) signalGroup(pid, 'SIGKILL');
});

describe('a child', () => {
  test('gets its input and its environment, and nothing of ours', async () => {
    process.env['CHILDREN_TEST_SECRET'] = 'x';
    const { child, lines } = await startShell(
      'read -r token; echo "$token $GREETING"; env | grep -c SECRET; echo bad >&2; exit 3',
      'one\n',
    );
    expect(await child.exited).toEqual({ code: 3, signal: undefined });
    await child.end(1000, never);
    expect(lines.toSorted()).toEqual(['stderr: bad', 'stdout: 0', 'stdout: one hello']);
  });

  test('ends together with what it started itself', async () => {
    const { child, said } = await startShell('sleep 100 & echo up; wait');
    await said('up');
    await child.end(5_000, never);
    expect(await gone(child.pid)).toBe(true);
  });

  test('that ignores SIGTERM is killed at its deadline', async () => {
    const { child, said } = await startShell("trap '' TERM; echo up; while :; do sleep 1; done");
    await said('up');
    await child.end(200, never);
    expect((await child.exited).signal).toBe('SIGKILL');
  });

  test('is killed at once when everything has to end', async () => {
    const { child, said } = await startShell("trap '' TERM; echo up; while :; do sleep 1; done");
    await said('up');
    await child.end(60_000, AbortSignal.abort());
    expect((await child.exited).signal).toBe('SIGKILL');
  });

  test('that cannot be started says so', async () => {
    const command = { argv: ['/no/such/program'], cwd: '/', env: {}, input: undefined, onLine: () => undefined };
    await expect(startChild(command)).rejects.toMatchObject({ code: 'START_FAILED' });
  });
});

describe('the keeper', () => {
  test('ends what still runs when its owner is killed, and leaves what was forgotten', async () => {
    const kept = await startShell('sleep 100 & echo up; wait');
    const forgotten = await startShell('echo up; sleep 100');
    await kept.said('up');
    await forgotten.said('up');
    const keeperModule = new URL('../../../cli/up/keeper.ts', import.meta.url).href;
    const owner = spawn(
      process.execPath,
      [
        '--conditions=source',
        '--input-type=module',
        '-e',
        `import { startKeeper } from ${JSON.stringify(keeperModule)};
         const keeper = startKeeper({ PATH: process.env.PATH });
         keeper.watch(${kept.child.pid}); keeper.watch(${forgotten.child.pid}); keeper.forget(${forgotten.child.pid});
         console.log('watching'); setInterval(() => {}, 1000);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(owner.stdout, 'data');
    owner.kill('SIGKILL');
    expect(await gone(kept.child.pid)).toBe(true);
    expect(signalGroup(forgotten.child.pid, 0)).toBe(true);
  });

  test('ends by itself when all is stopped', async () => {
    const { child, said } = await startShell('echo up; sleep 100');
    await said('up');
    const keeper = startKeeper({ PATH: process.env['PATH'] ?? '' });
    keeper.watch(child.pid);
    keeper.forget(child.pid);
    keeper.close();
    await systemClock.sleep(200);
    expect(signalGroup(child.pid, 0)).toBe(true);
  });
});
