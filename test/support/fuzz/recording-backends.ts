import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '#support/agent-process.ts';
import { startPythonApp } from '#support/python-app.ts';
import { untilOpen } from '#support/until-open.ts';

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

export async function startNodeBackend(): Promise<RecordingBackend> {
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
export async function startNginxBackend(): Promise<RecordingBackend> {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-nginx-'));
  const [port, inner] = [await freePort(), await freePort()];
  writeFileSync(join(folder, 'nginx.conf'), nginxConfig(folder, port, inner));
  const words = ['-p', folder, '-c', 'nginx.conf', '-e', join(folder, 'error.log')];
  const child = spawn('nginx', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  await untilOpen(port);
  const read = (name: string): string[] => readFileSync(join(folder, name), 'latin1').split('\n').slice(0, -1);
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
    [Symbol.asyncDispose]: () => endBackend(child, folder),
  };
}

function nginxConfig(folder: string, port: number, inner: number): string {
  const echo = '"$request_method $request_uri"';
  return `
daemon off;
worker_processes 1;
error_log ${folder}/error.log info;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  log_format heard escape=json '{"method":"$request_method","target":"$request_uri","status":"$status","body":"$request_body"}';
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  underscores_in_headers on;
  client_max_body_size 0;
  client_body_buffer_size 1m;
  large_client_header_buffers 8 64k;
  keepalive_requests 100000000;
  keepalive_timeout 120s;
  access_log off;
  upstream inner { server 127.0.0.1:${inner}; keepalive 16; }
  server {
    listen 127.0.0.1:${port} backlog=511;
    access_log ${folder}/access.log heard;
    location / { proxy_pass http://inner; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
  server {
    listen 127.0.0.1:${inner} backlog=511;
    location / { return 200 ${echo}; }
  }
}
`;
}

export async function startPythonBackend(): Promise<RecordingBackend> {
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

async function endBackend(child: ChildProcess, folder: string): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  if (child.exitCode === null && child.signalCode === null) await ended;
  rmSync(folder, { recursive: true, force: true });
}
