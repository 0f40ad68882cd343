// The orders of a small shop. HTTP: how often an item was ordered. TCP: a journal that confirms every line.
// Settings: PORT, JOURNAL_PORT.
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';

const host = '127.0.0.1';
const ordered = new Map([
  ['tea', 3],
  ['coffee', 5],
]);

const http = createServer((request, response) => {
  const item = /^\/orders\/(\w+)$/.exec(request.url ?? '')?.[1];
  const body = JSON.stringify(
    item === undefined
      ? { error: 'try /orders/tea' }
      : { item, ordered: ordered.get(item) ?? 0, caller: request.headers['x-forwarded-client-cert'] ?? null },
  );
  response.writeHead(item === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(body);
});
http.keepAliveTimeout = 60_000;

/** Answers `<line>` with `noted <n> <line>`, n counting the lines of this connection from 1. */
const journal = createTcpServer({ noDelay: true }, (socket) => {
  let rest = '';
  let noted = 0;
  socket.setEncoding('utf8');
  socket.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) socket.write(`noted ${(noted += 1)} ${line}\n`);
  });
  socket.on('error', () => undefined);
});

http.listen(Number(process.env.PORT ?? 7003), host);
journal.listen(Number(process.env.JOURNAL_PORT ?? 7004), host);
