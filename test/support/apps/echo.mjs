// An unmodified app for the mesh tests: HTTP and WebSocket echo on PORT, raw TCP echo on TCP_PORT.
// It knows nothing of TLS or identity; it only tells back the headers it was given.
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { WebSocketServer } from 'ws';

const { PORT, TCP_PORT } = process.env;

const server = createServer((request, reply) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    reply.setHeader('content-type', 'application/json');
    reply.end(
      JSON.stringify({ url: request.url, headers: request.headers, body: Buffer.concat(pieces).toString('base64') }),
    );
  });
});
server.keepAliveTimeout = 5_000;
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
});
server.listen(Number(PORT), '127.0.0.1');

if (TCP_PORT !== undefined) {
  createTcpServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  }).listen(Number(TCP_PORT), '127.0.0.1');
}

process.on('SIGTERM', () => process.exit(0));
