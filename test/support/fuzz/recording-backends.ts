import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { freePort } from '#support/agent-process.ts';
import { startPythonApp } from '#support/python-app.ts';
import { startNginx } from './nginx.ts';

/** One request as a backend read it. */
export interface BackendRequest {
  readonly method: string;
  readonly target: string;
  /** Of the body, hexadecimal. */
  readonly sha1: string;
  /** False: it broke off, and the backend knows. */
  readonly complete: boolean;
}

/** What a backend heard so far. */
export interface Heard {
  readonly requests: readonly BackendRequest[];
  /** What it could not read as a request, in its own words. Must stay empty. */
  readonly faults: readonly string[];
}

/** Answers 200 with `METHOD TARGET SHA1`, and keeps books. */
export interface RecordingBackend extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  heard(): Heard;
}

export const sha1Of = (bytes: Buffer | string): string => createHash('sha1').update(bytes).digest('hex');

async function startNodeBackend(): Promise<RecordingBackend> {
  const requests: BackendRequest[] = [];
  const faults: string[] = [];
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const digest = createHash('sha1');
    const { method = '', url: target = '' } = request;
    request.on('data', (piece: Buffer) => digest.update(piece));
    request.on('error', () => undefined); // it broke off: 'close' follows
    request.once('end', () => {
      const one = { method, target, sha1: digest.digest('hex'), complete: true };
      requests.push(one);
      response.end(`${method} ${target} ${one.sha1}`);
    });
    request.once('close', () => {
      if (!request.complete) requests.push({ method, target, sha1: '', complete: false });
    });
  };
  const server = createServer({ keepAliveTimeout: 60_000 }, serve);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    response.writeContinue();
    serve(request, response);
  });
  server.on('checkExpectation', serve);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!isTolerable(error)) faults.push(`${error.code} ${error.message}`);
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    name: 'Node',
    port: (server.address() as AddressInfo).port,
    heard: () => ({ requests, faults }),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** A method that Node does not know is none of our matter; and where a message is cut, the agent let a broken one go. */
function isTolerable({ code = '' }: NodeJS.ErrnoException): boolean {
  return ['HPE_INVALID_METHOD', 'ECONNRESET', 'EPIPE', 'HPE_INVALID_EOF_STATE'].includes(code);
}

/** nginx reads every body whole, and only then asks itself for the answer. */
async function startNginxBackend(): Promise<RecordingBackend> {
  const [port, inner] = [await freePort(), await freePort()];
  const nginx = await startNginx(port, (folder) => nginxConfig(folder, port, inner));
  const read = (name: string): string[] => readFileSync(join(nginx.folder, name), 'latin1').split('\n').slice(0, -1);
  return {
    name: 'nginx',
    port,
    heard: () => ({
      requests: read('access.log').flatMap((line) => {
        const { status, body, ...rest } = JSON.parse(line) as { status: string; body: string } & BackendRequest;
        if (rest.method === '') return []; // a connection without a request
        const sha1 = sha1Of(Buffer.from(body, 'latin1'));
        return [{ ...rest, sha1, complete: status === '200' }];
      }),
      faults: read('error.log').filter((line) =>
        /client sent(?! invalid method| duplicate header line: "Expect)|\[(warn|error|crit|alert|emerg)\]/.test(line),
      ),
    }),
    [Symbol.asyncDispose]: () => nginx[Symbol.asyncDispose](),
  };
}

function nginxConfig(folder: string, port: number, inner: number): string {
  const echo = '"$request_method $request_uri"';
  return `
  log_format heard escape=json '{"method":"$request_method","target":"$request_uri","status":"$status","body":"$request_body"}';
  upstream inner { server 127.0.0.1:${inner}; keepalive 16; }
  server {
    listen 127.0.0.1:${port} backlog=511;
    access_log ${folder}/access.log heard;
    location / { proxy_pass http://inner; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
  server {
    listen 127.0.0.1:${inner} backlog=511;
    location / { return 200 ${echo}; }
  }`;
}

async function startPythonBackend(): Promise<RecordingBackend> {
  const requests: BackendRequest[] = [];
  const faults: string[] = [];
  const app = await startPythonApp<BackendRequest & { readonly fault?: string }>('recording-server.py', (said) => {
    if (said.fault !== undefined) faults.push(said.fault);
    else requests.push(said);
  });
  return {
    name: 'Python',
    port: app.port,
    heard: () => ({ requests, faults }),
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  };
}

export const recordingBackends = { Node: startNodeBackend, nginx: startNginxBackend, Python: startPythonBackend };
