import type { Server, Socket } from 'node:net';
import { listenRaw } from '#bench/load/raw-socket.ts';

const hello = answer('hello world\n');
const largeHead = (length: number): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: ${length}\r\n\r\n`;

/** Written again and again. */
const block = Buffer.alloc(256 * 1024, 'd');

/**
 * An HTTP/1.1 service as lean as can be: a GET of `/` is answered with 12 bytes, of `/bytes/N` with N bytes, of
 * `/identity` with what the proxy said of the caller; a POST, once it has arrived, with a body of the same length.
 */
export function startHttpApp(port: number): Promise<Server> {
  return listenRaw(port, (socket) => {
    let rest: Buffer | undefined;
    let [missing, length] = [0, 0]; // of the body that is arriving
    return (bytes) => {
      let input = rest === undefined ? bytes : Buffer.concat([rest, bytes]);
      rest = undefined;
      while (input.length > 0) {
        if (missing > 0) {
          const part = Math.min(missing, input.length);
          missing -= part;
          input = input.subarray(part);
          if (missing === 0) socket.write(largeAnswer(length));
          continue;
        }
        const end = input.indexOf('\r\n\r\n', 0, 'latin1');
        if (end === -1) {
          rest = Buffer.from(input);
          return;
        }
        if (isPlainGet(input)) {
          socket.write(hello);
        } else {
          length = answerHead(socket, input.toString('latin1', 0, end + 2));
          missing = length;
        }
        input = input.subarray(end + 4);
      }
    };
  });
}

/** `GET / `, which needs no further look. */
function isPlainGet(input: Buffer): boolean {
  return input[0] === 71 && input[5] === 32;
}

/** Answers, or returns how many bytes of body are to come before an answer. */
function answerHead(socket: Socket, head: string): number {
  const [, method = '', path = ''] = /^(\S+) (\S+) /.exec(head) ?? [];
  if (path === '/identity') {
    const said = /\r\nx-forwarded-client-cert: ?([^\r]*)/i.exec(head)?.[1] ?? 'nothing';
    socket.write(answer(said));
    return 0;
  }
  if (method === 'GET') {
    writeLarge(socket, Number(/^\/bytes\/(\d+)$/.exec(path)?.[1] ?? 1));
    return 0;
  }
  const length = Number(/\r\ncontent-length: ?(\d+)/i.exec(head)?.[1]);
  if (Number.isNaN(length)) throw new Error(`a body without a length: ${head}`);
  if (length === 0) socket.write(hello);
  return length;
}

let lastLarge = Buffer.alloc(0);

function largeAnswer(length: number): Buffer {
  const head = largeHead(length);
  if (lastLarge.length !== head.length + length) {
    lastLarge = Buffer.concat([Buffer.from(head, 'latin1'), Buffer.alloc(length, 'a')]);
  }
  return lastLarge;
}

/** No faster than it is taken. */
function writeLarge(socket: Socket, length: number): void {
  let missing = length;
  socket.write(largeHead(length), 'latin1');
  const more = (): void => {
    while (missing > 0) {
      const part = block.subarray(0, Math.min(missing, block.length));
      missing -= part.length;
      if (!socket.write(part)) return void socket.once('drain', more);
    }
  };
  more();
}

function answer(body: string): Buffer {
  const head = `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.from(head + body, 'latin1');
}
