import { AnswerReader } from './http-answer.ts';
import { createLinesDriver } from './lines.ts';
import { openRaw } from './raw-socket.ts';
import type { Driver, Tally } from './tally.ts';

/** What is sent again and again, head and body in one. */
export function httpRequest(path: string, { bodyBytes = 0, fields = '' } = {}): Buffer {
  const length = bodyBytes === 0 ? '' : `content-type: application/octet-stream\r\ncontent-length: ${bodyBytes}\r\n`;
  const method = bodyBytes === 0 ? 'GET' : 'POST';
  const head = `${method} ${path} HTTP/1.1\r\nhost: prices.bench.example\r\nuser-agent: bench\r\naccept: */*\r\n${length}${fields}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.alloc(bodyBytes, 'b')]);
}

/** One request after the other on each connection. */
export function createHttpDriver(
  { port, connections, request }: { readonly port: number; readonly connections: number; readonly request: Buffer },
  tally: Tally,
): Driver {
  return createLinesDriver(connections, tally, (again) => {
    const answers = new AnswerReader();
    let sentMs = 0;
    const send = (): void => {
      sentMs = performance.now();
      socket.write(request);
    };
    const done = (): void => {
      tally.answered(performance.now() - sentMs);
      if (again()) send();
    };
    const socket = openRaw(port, (read) => {
      try {
        tally.bytes += answers.take(read, done);
      } catch (error) {
        tally.failed(String(error));
        socket.destroy();
      }
    });
    return { socket, send };
  });
}
