import { AnswerReader } from './http-answer.ts';
import { httpRequest } from './http-driver.ts';
import { openRaw } from './raw-socket.ts';
import type { Driver, Tally } from './tally.ts';

/** Connect, ask, read the answer, see the connection end; `connections` of them at once. */
export function createConnectDriver(
  { port, connections }: { readonly port: number; readonly connections: number },
  tally: Tally,
): Driver {
  let running = true;
  const request = httpRequest('/', { fields: 'connection: close\r\n' });

  function next(): void {
    const startedMs = performance.now();
    const answers = new AnswerReader();
    let answered = false;
    const socket = openRaw(port, (bytes) => {
      try {
        answers.take(bytes, () => (answered = true));
      } catch (error) {
        tally.failed(String(error));
      }
      if (answered) socket.end(); // whoever answers ends it too
    });
    socket.write(request);
    socket.on('error', (error) => tally.failed(error.message));
    socket.on('close', () => {
      if (answered) tally.answered(performance.now() - startedMs);
      else tally.failed('a connection ended without an answer');
      if (running && tally.failure === undefined) next();
    });
  }

  return {
    open: () => Promise.resolve(),
    start() {
      for (let line = 0; line < connections; line += 1) next();
    },
    settled: () => Promise.resolve(),
    finish: () => Promise.resolve(),
    close() {
      running = false;
    },
  };
}
