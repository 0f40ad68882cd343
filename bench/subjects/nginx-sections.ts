import type { Place } from './subject.ts';

type Side = 'egress' | 'ingress';

export function nginxHttp(place: Place, side: Side): string {
  return side === 'egress' ? egressHttp(place) : ingressHttp(place);
}

export function nginxTcp(place: Place, side: Side): string {
  return side === 'egress' ? egressTcp(place) : ingressTcp(place);
}

function egressHttp({ egressPort, ingressPort, protocol, certificatesOf, hostNameOf }: Place): string {
  const own = certificatesOf('cart');
  const isGrpc = protocol === 'http2';
  const ssl = isGrpc ? 'grpc_ssl' : 'proxy_ssl';
  return `${upstream('prices', ingressPort)}  server {
    listen 127.0.0.1:${egressPort} backlog=4096${isGrpc ? ' http2' : ''};
    location / {
${isGrpc ? 'grpc_pass grpcs://prices;\n' + grpc : 'proxy_pass https://prices;\n' + keepAlive}${upstreamTls(ssl, own, hostNameOf('prices'))}    }
  }
`;
}

function ingressHttp({ ingressPort, appPort, protocol, certificatesOf }: Place): string {
  const isGrpc = protocol === 'http2';
  const setHeader = isGrpc ? 'grpc_set_header' : 'proxy_set_header';
  return `${upstream('app', appPort)}  map $ssl_client_s_dn $may_call {
    default 0;
    "CN=cart" 1;
  }
  server {
    listen 127.0.0.1:${ingressPort} ssl${isGrpc ? ' http2' : ''} backlog=4096;
${downstreamTls(certificatesOf('prices'))}    location / {
      if ($may_call = 0) { return 403; }
${isGrpc ? 'grpc_pass grpc://app;\n' + grpc : 'proxy_pass http://app;\n' + keepAlive}      ${setHeader} x-forwarded-client-cert "Hash=$ssl_client_fingerprint;Subject=\\"$ssl_client_s_dn\\"";
    }
  }
`;
}

function egressTcp({ egressPort, ingressPort, certificatesOf, hostNameOf }: Place): string {
  return `  server {
    listen 127.0.0.1:${egressPort} backlog=4096;
    proxy_pass 127.0.0.1:${ingressPort};
    proxy_ssl on;
    proxy_timeout 1h;
    tcp_nodelay on;
${upstreamTls('proxy_ssl', certificatesOf('cart'), hostNameOf('prices'))}  }
`;
}

/** Callers who may not are sent to a port where nobody listens. */
function ingressTcp({ ingressPort, appPort, certificatesOf }: Place): string {
  return `  map $ssl_client_s_dn $app {
    default 127.0.0.1:1;
    "CN=cart" 127.0.0.1:${appPort};
  }
  server {
    listen 127.0.0.1:${ingressPort} ssl backlog=4096;
${downstreamTls(certificatesOf('prices'))}    proxy_pass $app;
    proxy_timeout 1h;
    tcp_nodelay on;
  }
`;
}

function upstream(name: string, port: number): string {
  return `  upstream ${name} {
    server 127.0.0.1:${port};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_time 24h;
    keepalive_timeout 1h;
  }
`;
}

function upstreamTls(prefix: string, own: string, name: string): string {
  return `      ${prefix}_certificate ${own}/tls.crt;
      ${prefix}_certificate_key ${own}/tls.key;
      ${prefix}_trusted_certificate ${own}/ca.crt;
      ${prefix}_verify on;
      ${prefix}_verify_depth 2;
      ${prefix}_name ${name};
      ${prefix}_server_name on;
      ${prefix}_session_reuse off;
      ${prefix}_protocols TLSv1.3;
      ${prefix}_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
`;
}

function downstreamTls(own: string): string {
  return `    ssl_certificate ${own}/tls.crt;
    ssl_certificate_key ${own}/tls.key;
    ssl_client_certificate ${own}/ca.crt;
    ssl_verify_client on;
    ssl_verify_depth 2;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    ssl_session_cache off;
    ssl_session_tickets off;
`;
}

const keepAlive = `      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
`;

const grpc = `      grpc_read_timeout 1h;
      grpc_send_timeout 1h;
`;
