import { describe, expect, test } from 'vitest';
import type { Exit, RunningChild } from '#cli/up/child.ts';
import { supervise, type Crash } from '#cli/up/supervisor.ts';
import { createFakeClock } from '#support/fake-clock.ts';

/** Children that end when the test says so. */
function setUp(failing?: { command: () => Error | undefined }) {
  const clock = createFakeClock(0);
  const events: string[] = [];
  const crashes: Crash[] = [];
  const ends: ((exit: Exit) => void)[] = [];
  const process = supervise(
    {
      command: () => {
        const error = failing?.command();
        if (error !== undefined) return Promise.reject(error);
        return Promise.resolve({
          argv: ['app'],
          cwd: '/',
          env: {},
          input: `token ${ends.length}`,
          onLine: () => undefined,
        });
      },
      stopDeadlineMs: 5_000,
      onStart: (pid) => events.push(`start ${pid}`),
      onEnd: (pid) => events.push(`gone ${pid}`),
      onCrash(crash) {
        events.push('crash');
        crashes.push(crash);
      },
    },
    {
      clock,
      random: () => 1,
      kill: new AbortController().signal,
      startChild(command) {
        events.push(`input ${command.input}`);
        const { promise, resolve } = Promise.withResolvers<Exit>();
        ends.push(resolve);
        const child: RunningChild = {
          pid: ends.length,
          exited: promise,
          end(deadlineMs) {
            events.push(`end within ${deadlineMs}`);
            resolve({ code: undefined, signal: 'SIGTERM' });
            return Promise.resolve();
          },
        };
        return Promise.resolve(child);
      },
    },
  );
  const crashNow = async (exit: Exit) => {
    ends.at(-1)?.(exit);
    await clock.advance(0);
  };
  return { clock, events, crashes, process, crashNow };
}

const code1: Exit = { code: 1, signal: undefined };

describe('a supervised process', () => {
  test('is started again after a crash, with a command of its own each time, later each time', async () => {
    const { clock, events, crashes, process, crashNow } = setUp();
    await clock.advance(0);
    await crashNow(code1);
    expect(events).toEqual(['input token 0', 'start 1', 'end within 5000', 'gone 1', 'crash']);
    expect(crashes).toEqual([{ exit: code1, error: undefined, restartInMs: 500 }]);
    await clock.advance(499);
    expect(process.starts).toBe(1);
    await clock.advance(1);
    expect(process.starts).toBe(2);
    expect(events.slice(5)).toEqual(['input token 1', 'start 2']);
    await crashNow(code1);
    await clock.advance(1000);
    await crashNow(code1);
    expect(crashes.map(({ restartInMs }) => restartInMs)).toEqual([500, 1000, 2000]);
    expect(process.crashes).toBe(3);
    await process.stop();
  });

  test('that ran for a while starts over with a short wait', async () => {
    const { clock, crashes, process, crashNow } = setUp();
    await clock.advance(0);
    await crashNow(code1);
    await clock.advance(500);
    await clock.advance(10_000);
    await crashNow(code1);
    expect(crashes.map(({ restartInMs }) => restartInMs)).toEqual([500, 500]);
    await process.stop();
  });

  test('that cannot be started is tried again', async () => {
    let error: Error | undefined = new Error('no token');
    const { clock, crashes, process } = setUp({ command: () => error });
    await clock.advance(0);
    expect(crashes).toEqual([{ exit: undefined, error: new Error('no token'), restartInMs: 500 }]);
    error = undefined;
    await clock.advance(500);
    expect(process.isRunning).toBe(true);
    await process.stop();
  });

  test('is ended once by stop, which is no crash, and never started again', async () => {
    const { clock, events, process } = setUp();
    await clock.advance(0);
    const stopped = process.stop();
    await clock.advance(0);
    await stopped;
    await clock.advance(60_000);
    expect(events).toEqual(['input token 0', 'start 1', 'end within 5000', 'gone 1']);
    expect(process.isRunning).toBe(false);
    expect(clock.waiting()).toBe(0);
  });

  test('stopped while it waits for its next start is not started', async () => {
    const { clock, process, crashNow } = setUp();
    await clock.advance(0);
    await crashNow(code1);
    await process.stop();
    await clock.advance(60_000);
    expect(process.starts).toBe(1);
  });
});
