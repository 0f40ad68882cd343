import type { Launch, Place, Subject } from './subject.ts';

/** nginx: one worker, keep-alive to the upstream. The identity header is made of the certificate's fingerprint and subject. */
export const nginx: Subject = {
  name: 'nginx',
  program: 'nginx',
  versionWords: ['-v'],
  egress: (place) => launch(place, place.egressPort, egressServer(place)),
  ingress: (place) => launch(place, place.ingressPort, ingressServer(place)),
};

function launch({ dir }: Place, port: number, server: string): Launch {
  return {
    dir,
    files: { 'nginx.conf': nginxConfig(server) },
    words: nginxWords(dir),
    ready: { kind: 'port-open', port },
  };
}

/** `-e`: its compiled-in log may belong to somebody else. */
export function nginxWords(dir: string): readonly string[] {
  return ['-p', dir, '-c', `${dir}/nginx.conf`, '-e', 'stderr'];
}

/** Everything beside the servers; what it would keep in system folders is kept in the prefix. */
export function nginxConfig(servers: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
pid nginx.pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_time 24h;
  keepalive_timeout 1h;
  tcp_nodelay on;
${temporary.map((name) => `  ${name}_temp_path ${name};`).join('\n')}
${servers}}
`;
}

function egressServer({ egressPort, ingressPort, certificatesOf, hostNameOf }: Place): string {
  const own = certificatesOf('cart');
  return `  upstream prices {
    server 127.0.0.1:${ingressPort};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_time 24h;
    keepalive_timeout 1h;
  }
  server {
    listen 127.0.0.1:${egressPort} backlog=4096;
    location / {
      proxy_pass https://prices;
${keepAlive}      proxy_ssl_certificate ${own}/tls.crt;
      proxy_ssl_certificate_key ${own}/tls.key;
      proxy_ssl_trusted_certificate ${own}/ca.crt;
      proxy_ssl_verify on;
      proxy_ssl_verify_depth 2;
      proxy_ssl_name ${hostNameOf('prices')};
      proxy_ssl_server_name on;
      proxy_ssl_session_reuse off;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    }
  }
`;
}

function ingressServer({ ingressPort, appPort, certificatesOf }: Place): string {
  const own = certificatesOf('prices');
  return `  upstream app {
    server 127.0.0.1:${appPort};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_time 24h;
    keepalive_timeout 1h;
  }
  map $ssl_client_s_dn $may_call {
    default 0;
    "CN=cart" 1;
  }
  server {
    listen 127.0.0.1:${ingressPort} ssl backlog=4096;
    ssl_certificate ${own}/tls.crt;
    ssl_certificate_key ${own}/tls.key;
    ssl_client_certificate ${own}/ca.crt;
    ssl_verify_client on;
    ssl_verify_depth 2;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    ssl_session_cache off;
    ssl_session_tickets off;
    location / {
      if ($may_call = 0) { return 403; }
      proxy_pass http://app;
${keepAlive}      proxy_set_header x-forwarded-client-cert "Hash=$ssl_client_fingerprint;Subject=\\"$ssl_client_s_dn\\"";
    }
  }
`;
}

const keepAlive = `      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_request_buffering off;
`;
