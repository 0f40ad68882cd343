import { chmodSync } from 'node:fs';
import { createServer } from 'node:http';
import { Fault } from '#runtime/fault.ts';
import type { Summary } from './summary.ts';

/** Answers `GET /status` with the summary on a Unix socket that only this user can open (folder 0700, socket 0600). */
export async function serveStatus(socketPath: string, summary: () => Summary): Promise<{ close(): void }> {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    const isKnown = request.method === 'GET' && request.url === '/status';
    response.writeHead(isKnown ? 200 : 404, { 'content-type': 'application/json', connection: 'close' });
    response.end(isKnown ? `${JSON.stringify(summary())}\n` : '{"error":"not found"}\n');
  });
  server.maxConnections = 32;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(new Fault('STATUS_SOCKET', `cannot listen on ${socketPath}`, { cause })));
    server.listen(socketPath, resolve);
  });
  chmodSync(socketPath, 0o600);
  return {
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
