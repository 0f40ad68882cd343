import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '#support/agent-process.ts';
import { startPythonApp } from '#support/python-app.ts';
import { startNginx } from './nginx.ts';

/** Answers 200 with the target that it received and, on the next line, the resource that it takes it for. */
export interface PathBackend extends AsyncDisposable {
  readonly port: number;
}

/** Takes targets for URLs, as most frameworks do. */
async function startNodeReader(): Promise<PathBackend> {
  const server = createServer({ keepAliveTimeout: 60_000 }, ({ url = '' }, response) => {
    response.end(`${url}\n${resourceOf(url)}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function resourceOf(target: string): string {
  try {
    return decodeURIComponent(new URL(target, 'http://prices').pathname);
  } catch (error) {
    return String(error);
  }
}

/** What its locations are compared with: decoded, slashes merged, without dot segments. */
async function startNginxReader(): Promise<PathBackend> {
  const port = await freePort();
  const nginx = await startNginx(
    port,
    () => String.raw`
  default_type text/plain;
  server {
    listen 127.0.0.1:${port} backlog=511;
    location / { return 200 "$request_uri\n$uri"; }
  }`,
  );
  return { port, [Symbol.asyncDispose]: () => nginx[Symbol.asyncDispose]() };
}

const startPythonReader = (): Promise<PathBackend> => startPythonApp('path-server.py', () => undefined);

export const pathBackends = { Node: startNodeReader, nginx: startNginxReader, Python: startPythonReader };
