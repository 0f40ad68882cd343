// An unmodified app that writes down all it gets to know: its environment, its arguments and every byte that reaches it,
// whoever sent it. HTTP on PORT, raw TCP echo on TCP_PORT; each request first asks CALLS and tells CALLS_TCP a line.
import { appendFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

const { PORT, TCP_PORT, CALLS, CALLS_TCP, RECORD } = process.env;
const { env, argv, execArgv } = process;
const host = '127.0.0.1';

writeFileSync(`${RECORD}.start`, JSON.stringify({ env, argv, execArgv }));

/** What `port` says until it ends the connection; all of it is written down. */
function ask(port, text) {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect({ host, port: Number(port) }, () => socket.end(text));
    socket.on('data', (bytes) => {
      appendFileSync(`${RECORD}.bytes`, bytes);
      said += bytes.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(said));
  });
}

function serve(port, answer) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => appendFileSync(`${RECORD}.bytes`, bytes));
    answer(socket);
  });
  server.listen(Number(port), host);
}

serve(PORT, (socket) => {
  let head = '';
  socket.on('data', async (bytes) => {
    const isComplete = (text) => text.includes('\r\n\r\n');
    if (isComplete(head)) return;
    head += bytes.toString('latin1');
    if (!isComplete(head)) return;
    const http = CALLS && (await ask(CALLS, 'GET / HTTP/1.1\r\nHost: callee\r\nConnection: close\r\n\r\n'));
    const tcp = CALLS_TCP && (await ask(CALLS_TCP, 'a line\n'));
    const isGood = (!CALLS || http.startsWith('HTTP/1.1 200 ')) && (!CALLS_TCP || tcp === 'a line\n');
    socket.end(`HTTP/1.1 ${isGood ? '200 OK' : '502 Bad Gateway'}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  });
});
if (TCP_PORT !== undefined) serve(TCP_PORT, (socket) => socket.pipe(socket));
