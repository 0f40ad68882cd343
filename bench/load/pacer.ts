import { readlinkSync, writeFileSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { control, nowMs, type Schedule } from './schedule.ts';

// A thread that starts requests when they are due: it sleeps in the kernel and writes to the connections itself, both
// without an event loop, whose timers know whole milliseconds only.

interface PacerData {
  readonly schedule: Schedule;
  readonly fds: readonly number[];
  readonly perSecond: number;
  readonly request: Uint8Array;
}

const { schedule, fds, perSecond, request } = workerData as PacerData;

sharpenSleep();
parentPort?.postMessage('ready');
Atomics.wait(schedule.control, control.phase, 0);
const startMs = nowMs();
for (let sent = 0, last = 0; Atomics.load(schedule.control, control.phase) === 1; sent += 1) {
  const dueMs = startMs + (sent * 1000) / perSecond;
  for (let leftMs = dueMs - nowMs(); leftMs > 0; leftMs = dueMs - nowMs()) {
    Atomics.wait(schedule.control, control.never, 0, leftMs);
  }
  const connection = freeConnection(last);
  if (connection === undefined) break;
  schedule.dueMs[connection] = dueMs;
  Atomics.store(schedule.busy, connection, 1);
  const written = writeSync(fds[connection] ?? -1, request);
  if (written !== request.length) throw new Error('a connection takes no request');
  last = connection;
}

/** The next one in turn that waits for no answer; undefined: the end came first. */
function freeConnection(last: number): number | undefined {
  for (;;) {
    for (let step = 1; step <= fds.length; step += 1) {
      const connection = (last + step) % fds.length;
      if (Atomics.load(schedule.busy, connection) === 0) return connection;
    }
    if (Atomics.load(schedule.control, control.phase) !== 1) return undefined;
    Atomics.store(schedule.control, control.waiting, 1);
    Atomics.wait(schedule.control, control.waiting, 1, 1);
  }
}

/** Linux wakes sleepers up to 50 µs late on purpose, unless they ask for better (proc_pid_timerslack_ns(5)). */
function sharpenSleep(): void {
  try {
    writeFileSync(`/proc/${basename(readlinkSync('/proc/thread-self'))}/timerslack_ns`, '1');
  } catch {
    // then latencies are that much longer, for all subjects alike
  }
}
