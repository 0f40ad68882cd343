import { openFilesLimit } from '#bench/proc.ts';
import type { Launch, Place, Protocol, Subject } from './subject.ts';

/** HAProxy: one thread, server connections kept and shared. The identity header is made of the certificate's hash and subject. */
export const haproxy: Subject = {
  name: 'haproxy',
  program: 'haproxy',
  versionWords: ['-v'],
  effort: 'always',
  duties: 'checked',
  lacks: () => undefined,
  egress: (place) => launch(place, place.egressPort, egressSections(place)),
  ingress: (place) => launch(place, place.ingressPort, ingressSections(place)),
};

/** It refuses to start where it may not open two sockets for each; then it finds out itself how many it can have. */
const mostConnections = 10_500;

function launch({ dir, protocol }: Place, port: number, sections: string): Launch {
  return {
    dir,
    files: { 'haproxy.cfg': common(protocol) + sections },
    words: ['-db', '-f', `${dir}/haproxy.cfg`],
    ready: { kind: 'port-open', port },
  };
}

function common(protocol: Protocol): string {
  return `global
  nbthread 1
${openFilesLimit() > 2 * mostConnections + 100 ? `  maxconn ${mostConnections}\n` : ''}  tune.ssl.cachesize 0
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-server-options ssl-min-ver TLSv1.3
  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256

defaults
  timeout connect 5s
  timeout client 1h
  timeout server 1h
${protocol === 'tcp' ? '  mode tcp\n' : httpDefaults}
`;
}

const httpDefaults = `  mode http
  option http-keep-alive
  http-reuse always
  timeout http-keep-alive 1h
`;

function egressSections({ egressPort, ingressPort, protocol, certificatesOf, hostNameOf }: Place): string {
  const own = certificatesOf('cart');
  const name = hostNameOf('prices');
  const [bind, server] = protocol === 'http2' ? [' proto h2', ' alpn h2'] : ['', ''];
  return `frontend egress
  bind 127.0.0.1:${egressPort} backlog 4096${bind}
  default_backend prices

backend prices
  server prices 127.0.0.1:${ingressPort} ssl crt ${own}/both.pem ca-file ${own}/ca.crt verify required verifyhost ${name} sni str(${name}) no-ssl-reuse${server}
`;
}

function ingressSections({ ingressPort, appPort, protocol, certificatesOf }: Place): string {
  const own = certificatesOf('prices');
  const [bind, server] = protocol === 'http2' ? [' alpn h2', ' proto h2'] : ['', ''];
  const duties =
    protocol === 'tcp'
      ? `  tcp-request session reject unless { ssl_c_s_dn(cn) -m str cart }`
      : `  http-request deny unless { ssl_c_s_dn(cn) -m str cart }
  http-request set-header x-forwarded-client-cert Hash=%[ssl_c_sha1,hex];Subject=\\"%[ssl_c_s_dn]\\"`;
  return `frontend ingress
  bind 127.0.0.1:${ingressPort} backlog 4096 ssl crt ${own}/both.pem ca-file ${own}/ca.crt verify required${bind}
${duties}
  default_backend app

backend app
  server app 127.0.0.1:${appPort}${server}
`;
}
