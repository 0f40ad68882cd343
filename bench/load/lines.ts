import type { Socket } from 'node:net';
import { opened } from './raw-socket.ts';
import type { Driver, Tally } from './tally.ts';

/** A connection that asks again whenever it is answered. */
export interface Line {
  readonly socket: Socket;
  send(): void;
}

/** Many lines that all start and end together; `isRunning` tells a line whether to ask again. */
export function createLinesDriver(
  connections: number,
  tally: Tally,
  openLine: (isRunning: () => boolean) => Line,
): Driver {
  let running = true;
  const lines = Array.from({ length: connections }, () => openLine(() => running));
  for (const { socket } of lines) {
    socket.on('error', (error) => running && tally.failed(error.message));
    socket.on('close', () => running && tally.failed('a connection was closed'));
  }
  return {
    open: () => opened(lines.map(({ socket }) => socket)),
    start: () => lines.forEach((line) => line.send()),
    finish: () => Promise.resolve(),
    close() {
      running = false;
      for (const { socket } of lines) socket.destroy();
    },
  };
}
