import { createServer, type Http2Server } from 'node:http2';
import { once } from 'node:events';

/** In the gRPC app's place while duties are checked: answers with what the proxy said of the caller. */
export async function startIdentityApp(port: number): Promise<Http2Server> {
  const server = createServer((request, response) => {
    response.end(String(request.headers['x-forwarded-client-cert']));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
