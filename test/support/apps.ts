import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Address } from '#agent/config-types.ts';

/** What an app was asked. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  /** Name, value, name, value… as they arrived. */
  readonly headers: readonly string[];
  readonly trailers: readonly string[];
  readonly bodyBytes: number;
  readonly bodySha256: string;
}

export interface HttpApp extends AsyncDisposable {
  readonly address: Address;
  readonly at: string;
  readonly seen: SeenRequest[];
}

/** An app that answers 200 with what it was asked, as JSON, and remembers it. */
export async function startHttpApp(): Promise<HttpApp> {
  const seen: SeenRequest[] = [];
  const server = createHttpServer((request, response) => {
    const digest = createHash('sha256');
    let bodyBytes = 0;
    request.on('data', (piece: Buffer) => {
      digest.update(piece);
      bodyBytes += piece.length;
    });
    request.once('end', () => {
      const { method = '', url = '', rawHeaders: headers, rawTrailers: trailers } = request;
      const one = { method, url, headers, trailers, bodyBytes, bodySha256: digest.digest('hex') };
      seen.push(one);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(one));
    });
  });
  return { ...(await serveApp(server, () => server.closeAllConnections())), seen };
}

export interface TcpApp extends AsyncDisposable {
  readonly address: Address;
  readonly at: string;
  /** Connections accepted so far. */
  readonly accepted: readonly Socket[];
}

/** An opaque app: `talk` gets each connection; without it, bytes come back as they were sent. */
export async function startTcpApp(talk: (socket: Socket) => void = echo): Promise<TcpApp> {
  const accepted: Socket[] = [];
  const server = createTcpServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    talk(socket);
  });
  return { ...(await serveApp(server, () => accepted.forEach((socket) => socket.destroy()))), accepted };
}

function echo(socket: Socket): void {
  socket.pipe(socket);
}

async function serveApp(server: Server, cutAll: () => void) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const address: Address = { host: '127.0.0.1', port };
  return {
    address,
    at: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      cutAll();
      await once(server, 'close');
    },
  };
}
