// An unmodified app that can be slow to nobody: on PORT `/flood` never ends and everything else is answered at once, on
// TCP_PORT bytes come without end.
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';

const { PORT, TCP_PORT } = process.env;
const piece = Buffer.alloc(65_536, 'flood ');

function flood(writable) {
  const more = () => {
    while (!writable.destroyed && writable.write(piece));
  };
  writable.on('drain', more);
  writable.on('error', () => undefined);
  more();
}

const server = createServer((request, reply) => {
  request.resume();
  request.on('error', () => undefined);
  if (request.url === '/flood') flood(reply);
  else request.once('end', () => reply.end('ok'));
});
server.keepAliveTimeout = 120_000;
server.requestTimeout = 0;
server.listen({ port: Number(PORT), host: '127.0.0.1', backlog: 4_096 });
createTcpServer({ noDelay: true }, flood).listen({ port: Number(TCP_PORT), host: '127.0.0.1', backlog: 4_096 });

process.on('SIGTERM', () => process.exit(0));
