import { backoffMs } from '#runtime/backoff.ts';
import type { Clock, Random } from '#runtime/clock.ts';
import { aborted } from '#runtime/drain.ts';
import type { ChildCommand, Exit, RunningChild, StartChild } from './child.ts';

/** One process that is kept running. */
export interface SupervisedSpec {
  /** Asked before every start: a fresh join token each time. Faults count as a crash and are tried again. */
  readonly command: () => Promise<ChildCommand>;
  readonly stopDeadlineMs: number;
  readonly onStart: (pid: number) => void;
  /** It ended, or could not be started, without being asked to. */
  readonly onCrash: (crash: Crash) => void;
  /** The whole process group is gone. */
  readonly onEnd: (pid: number) => void;
}

export interface Crash {
  readonly exit: Exit | undefined;
  /** Why it could not be started; undefined when it had been. */
  readonly error: unknown;
  readonly restartInMs: number;
}

export interface Supervised {
  /** Starts so far, 1 after the first. */
  readonly starts: number;
  /** Ends, or failed starts, that nobody asked for. */
  readonly crashes: number;
  readonly isRunning: boolean;
  /** Ends it for good; resolves when its whole process group is gone. */
  stop(): Promise<void>;
}

export interface SupervisorParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly startChild: StartChild;
  /** Aborts when everything has to end at once. */
  readonly kill: AbortSignal;
}

const restartBounds = { baseMs: 500, maxMs: 15_000 };
/** After running this long the next crash is a first one again. */
const steadyMs = 10_000;

/** Starts the process and starts it again, with backoff, whenever it ends, until `stop`. */
export function supervise(spec: SupervisedSpec, parts: SupervisorParts): Supervised {
  const { clock } = parts;
  const stopping = new AbortController();
  let starts = 0;
  let crashes = 0;
  let failures = 0;
  let running: RunningChild | undefined;

  const runOnce = async (): Promise<Exit> => {
    const child = await parts.startChild(await spec.command());
    starts += 1;
    running = child;
    spec.onStart(child.pid);
    const startedMs = clock.monotonic();
    try {
      const exit = await Promise.race([child.exited, aborted(stopping.signal).then((): Exit => stopped)]);
      if (clock.monotonic() - startedMs >= steadyMs) failures = 0;
      return exit;
    } finally {
      await child.end(spec.stopDeadlineMs, parts.kill); // also what a crashed leader left behind in its group
      running = undefined;
      spec.onEnd(child.pid);
    }
  };

  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      let exit: Exit | undefined;
      let error: unknown;
      try {
        exit = await runOnce();
      } catch (thrown) {
        error = thrown;
      }
      if (stopping.signal.aborted) return;
      const restartInMs = Math.round(backoffMs(failures, restartBounds, parts.random()));
      failures += 1;
      crashes += 1;
      spec.onCrash({ exit, error, restartInMs });
      await clock.sleep(restartInMs, stopping.signal).catch(() => undefined);
    }
  };

  const ended = loop();
  return {
    get starts() {
      return starts;
    },
    get crashes() {
      return crashes;
    },
    get isRunning() {
      return running !== undefined;
    },
    stop() {
      stopping.abort();
      return ended;
    },
  };
}

const stopped: Exit = { code: undefined, signal: undefined };
