import { chmodSync } from 'node:fs';
import { createServer } from 'node:http';
import { Fault } from '#runtime/fault.ts';
import type { View } from './events.ts';
import type { Summary } from './summary.ts';

/** What one may ask for: `/status` for machines, `/view` for the table that `eastwest status` draws, `/agents` to ask those. */
export interface Answers {
  readonly summary: () => Summary;
  readonly view: () => View;
  /** Admin sockets of the agents, by workload. */
  readonly agents: () => Readonly<Record<string, string>>;
}

/** Answers `GET /status`, `/view` and `/agents` on a Unix socket that only this user can open (folder 0700, socket 0600). */
export async function serveStatus(socketPath: string, { summary, view, agents }: Answers): Promise<{ close(): void }> {
  const known = new Map<string | undefined, () => unknown>([
    ['/status', summary],
    ['/view', view],
    ['/agents', agents],
  ]);
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    const answer = request.method === 'GET' ? known.get(request.url) : undefined;
    response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json', connection: 'close' });
    response.end(answer ? `${JSON.stringify(answer())}\n` : '{"error":"not found"}\n');
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
