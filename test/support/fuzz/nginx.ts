import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilOpen } from '#support/until-open.ts';

export interface Nginx extends AsyncDisposable {
  /** Of its configuration and logs; goes with it. */
  readonly folder: string;
}

/** nginx with `http` as the inside of that block, from when it listens on `port`. */
export async function startNginx(port: number, http: (folder: string) => string): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-nginx-'));
  writeFileSync(join(folder, 'nginx.conf'), configuration(folder, http(folder)));
  const words = ['-p', folder, '-c', 'nginx.conf', '-e', join(folder, 'error.log')];
  const child = spawn('nginx', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  await untilOpen(port);
  return {
    folder,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(folder: string, http: string): string {
  return `
daemon off;
worker_processes 1;
error_log ${folder}/error.log info;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
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
${http}
}
`;
}
