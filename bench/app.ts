import { join } from 'node:path';
import { findProgram } from './programs.ts';
import { startProcess, type Running, type StartOptions } from './running.ts';
import type { Launch } from './subjects/subject.ts';
import { nginxConfig, nginxWords } from './subjects/nginx.ts';

/** What every pair stands in front of: `/` answers 12 bytes, `/identity` what the proxy said about the caller. */
export interface App extends Running {
  readonly port: number;
  readonly program: 'nginx' | 'node';
}

export async function startApp(workDir: string, port: number, options: StartOptions): Promise<App> {
  const dir = join(workDir, 'app');
  const program = findProgram('nginx') === undefined ? 'node' : 'nginx';
  const launch: Launch = {
    dir,
    files: { 'nginx.conf': nginxConfig(nginxServer(port)) },
    words: program === 'nginx' ? nginxWords(dir) : ['-e', nodeServer(port)],
    ready: { kind: 'port-open', port },
  };
  return { ...(await startProcess(program, launch, options)), port, program };
}

const body = 'hello world\\n';

function nginxServer(port: number): string {
  return `  server {
    listen 127.0.0.1:${port} backlog=4096;
    default_type text/plain;
    location / { return 200 "${body}"; }
    location = /identity { return 200 "$http_x_forwarded_client_cert"; }
  }
`;
}

function nodeServer(port: number): string {
  const reply = `request.url === '/identity' ? String(request.headers['x-forwarded-client-cert']) : '${body}'`;
  return `require('node:http').createServer((request, response) => response.end(${reply})).listen(${port}, '127.0.0.1')`;
}
