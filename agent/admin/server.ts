import { once } from 'node:events';
import type * as http from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Fault } from '#runtime/fault.ts';
import type { Address } from '#agent/config-types.ts';
import { answerAdmin, type AdminActions, type AdminReply, type Door } from './routes.ts';
import { claimSocketPath, listenPrivately } from './socket-path.ts';

// An `import` of node:http runs every lazy getter of the module and so loads a whole WebSocket client: 7 MB for nothing.
const { createServer } = createRequire(import.meta.url)('node:http') as typeof http;

export interface AdminServer {
  /** Where the TCP port really is; undefined without one. */
  readonly address: Address | undefined;
  close(): Promise<void>;
}

const limits = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
};
const maxConnections = 64;

/** Opens the read-only TCP port and the Unix socket, as configured. Throws `ADMIN_NOT_OPEN` or `ADMIN_SOCKET_UNSAFE`. */
export async function startAdmin(actions: AdminActions): Promise<AdminServer> {
  const { listen, reachableFrom, socket } = actions.config.admin;
  const servers: http.Server[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map(closeServer));
  };
  try {
    let address: Address | undefined;
    if (listen !== undefined) {
      const server = createAdminServer({ kind: 'tcp', reachableFrom }, actions);
      servers.push(server);
      server.listen(listen.port, listen.host);
      await opened(server, `${listen.host}:${listen.port}`);
      address = { host: listen.host, port: (server.address() as AddressInfo).port };
    }
    if (socket !== undefined) {
      await claimSocketPath(socket);
      const server = createAdminServer({ kind: 'socket' }, actions);
      servers.push(server);
      listenPrivately(server, socket);
      await opened(server, socket);
    }
    return { address, close };
  } catch (cause) {
    await close();
    throw cause;
  }
}

function createAdminServer(door: Door, actions: AdminActions): http.Server {
  const server = createServer(limits, (request, response) => {
    void reply(request, response, { door, actions });
  });
  server.maxConnections = maxConnections;
  return server;
}

async function reply(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { door, actions }: { readonly door: Door; readonly actions: AdminActions },
): Promise<void> {
  if (request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) !== 0) {
    send(response, { status: 413, headers: { connection: 'close' }, body: 'no body is expected\n' });
    return;
  }
  const { method = '', url = '' } = request;
  const [path = ''] = url.split('?', 1);
  try {
    send(response, await answerAdmin({ method, path, host: request.headers.host }, door, actions));
  } catch {
    send(response, { status: 500, headers: {}, body: 'this failed\n' });
  }
}

function send(response: http.ServerResponse, { status, headers, body }: AdminReply): void {
  response.writeHead(status, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers });
  response.end(body);
}

async function opened(server: http.Server, where: string): Promise<void> {
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new Fault('ADMIN_NOT_OPEN', `cannot listen on ${where}`, {
      cause,
      hint: 'is another agent using that address?',
    });
  }
}

async function closeServer(server: http.Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
