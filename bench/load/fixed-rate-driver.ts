import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { systemClock } from '#runtime/system-clock.ts';
import { AnswerReader } from './http-answer.ts';
import { httpRequest } from './http-driver.ts';
import type { FixedRateWork } from './job.ts';
import { control, createSchedule, nowMs, type Schedule } from './schedule.ts';
import { openRaw, opened } from './raw-socket.ts';
import type { Driver, Tally } from './tally.ts';

const answersWithinMs = 5_000;

/**
 * A thread of its own starts the requests, so that nobody who is late in answering delays the next one; this one reads
 * the answers.
 */
export function createFixedRateDriver(
  { port, connections, perSecond }: FixedRateWork & { readonly port: number; readonly connections: number },
  tally: Tally,
): Driver {
  const schedule = createSchedule(connections);
  let running = true;
  const sockets = Array.from({ length: connections }, (_, connection) => {
    const answers = new AnswerReader();
    const done = (): void => {
      tally.answered(nowMs() - (schedule.dueMs[connection] ?? NaN));
      setFree(schedule, connection);
    };
    const socket = openRaw(port, (bytes) => {
      try {
        tally.bytes += answers.take(bytes, done);
      } catch (error) {
        tally.failed(String(error));
      }
    });
    socket.on('error', (error) => running && tally.failed(error.message));
    socket.on('close', () => running && tally.failed('a connection was closed'));
    return socket;
  });
  let pacer: Worker | undefined;

  return {
    async open() {
      await opened(sockets);
      const fds = sockets.map((socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd);
      const workerData = { schedule, fds, perSecond, request: httpRequest('/') };
      pacer = new Worker(new URL('pacer.ts', import.meta.url), { workerData });
      pacer.on('error', (error) => tally.failed(String(error)));
      await once(pacer, 'message'); // it is ready
    },
    start() {
      Atomics.store(schedule.control, control.phase, 1);
      Atomics.notify(schedule.control, control.phase);
    },
    settled: () => Promise.resolve(),
    async finish() {
      if (pacer === undefined) return;
      const ended = once(pacer, 'exit');
      Atomics.store(schedule.control, control.phase, 2);
      await ended;
      const untilMs = nowMs() + answersWithinMs;
      while (schedule.busy.includes(1)) {
        if (nowMs() > untilMs) return tally.failed(`requests were not answered within ${answersWithinMs} ms`);
        await systemClock.sleep(5);
      }
    },
    close() {
      running = false;
      for (const socket of sockets) socket.destroy();
    },
  };
}

function setFree(schedule: Schedule, connection: number): void {
  Atomics.store(schedule.busy, connection, 0);
  if (Atomics.load(schedule.control, control.waiting) === 0) return;
  Atomics.store(schedule.control, control.waiting, 0);
  Atomics.notify(schedule.control, control.waiting);
}
