import { existsSync } from 'node:fs';
import { nginxHttp, nginxTcp } from './nginx-sections.ts';
import type { Launch, Place, Subject } from './subject.ts';

/** Where Debian's package `libnginx-mod-stream` puts it. */
const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so';

/**
 * nginx: one worker, keep-alive to the upstream; gRPC through `grpc_pass`, which has one call at a time on each
 * connection; bytes through the stream module. The identity header is made of the certificate's fingerprint and subject.
 */
export const nginx: Subject = {
  name: 'nginx',
  program: 'nginx',
  versionWords: ['-v'],
  effort: 'always',
  duties: 'checked',
  lacks: (protocol) =>
    protocol === 'tcp' && !existsSync(streamModule) ? 'its stream module is missing: libnginx-mod-stream' : undefined,
  egress: (place) => launch(place, place.egressPort, 'egress'),
  ingress: (place) => launch(place, place.ingressPort, 'ingress'),
};

function launch(place: Place, port: number, side: 'egress' | 'ingress'): Launch {
  const { dir, protocol } = place;
  const sections =
    protocol === 'tcp'
      ? `stream {\n${nginxTcp(place, side)}}\n`
      : `http {\n${httpSettings}${nginxHttp(place, side)}}\n`;
  const load = protocol === 'tcp' ? `load_module ${streamModule};\n` : '';
  return {
    dir,
    files: { 'nginx.conf': load + common + sections },
    // -e: its compiled-in log may belong to somebody else
    words: ['-p', dir, '-c', `${dir}/nginx.conf`, '-e', 'stderr'],
    ready: { kind: 'port-open', port },
  };
}

const common = `daemon off;
pid nginx.pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 16384; }
`;

/** What it would keep in system folders is kept in the prefix. */
const httpSettings = `  access_log off;
  keepalive_requests 1000000000;
  keepalive_time 24h;
  keepalive_timeout 1h;
  http2_max_concurrent_streams 1000;
  client_max_body_size 0;
  tcp_nodelay on;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${name};\n`).join('')}`;
