import type { Socket } from 'node:net';
import { opened } from './raw-socket.ts';
import type { Driver, Tally } from './tally.ts';

/** A connection that asks again whenever it is answered. */
export interface Line {
  readonly socket: Socket;
  send(): void;
}

/** Many lines that all start and end together; a line calls `again` after each answer, to know whether to ask again. */
export function createLinesDriver(connections: number, tally: Tally, openLine: (again: () => boolean) => Line): Driver {
  let running = true;
  let missing = connections;
  const settled = Promise.withResolvers<void>();
  const lines = Array.from({ length: connections }, () => {
    let fresh = true;
    return openLine(() => {
      if (fresh) {
        fresh = false;
        missing -= 1;
        if (missing === 0) settled.resolve();
      }
      return running;
    });
  });
  for (const { socket } of lines) {
    socket.on('error', (error) => running && tally.failed(error.message));
    socket.on('close', () => {
      if (running) tally.failed('a connection was closed');
      settled.resolve();
    });
  }
  return {
    open: () => opened(lines.map(({ socket }) => socket)),
    start: () => lines.forEach((line) => line.send()),
    settled: () => settled.promise,
    finish: () => Promise.resolve(),
    close() {
      running = false;
      for (const { socket } of lines) socket.destroy();
    },
  };
}
