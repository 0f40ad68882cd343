import type { Launch, Place, Subject } from './subject.ts';

/** HAProxy: one thread, server connections kept and shared. The identity header is made of the certificate's hash and subject. */
export const haproxy: Subject = {
  name: 'haproxy',
  program: 'haproxy',
  versionWords: ['-v'],
  egress: (place) => launch(place, place.egressPort, egressSections(place)),
  ingress: (place) => launch(place, place.ingressPort, ingressSections(place)),
};

function launch({ dir }: Place, port: number, sections: string): Launch {
  return {
    dir,
    files: { 'haproxy.cfg': common + sections },
    words: ['-db', '-f', `${dir}/haproxy.cfg`],
    ready: { kind: 'port-open', port },
  };
}

const common = `global
  nbthread 1
  tune.ssl.cachesize 0
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-server-options ssl-min-ver TLSv1.3
  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256

defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h

`;

function egressSections({ egressPort, ingressPort, certificatesOf, hostNameOf }: Place): string {
  const own = certificatesOf('cart');
  const name = hostNameOf('prices');
  return `frontend egress
  bind 127.0.0.1:${egressPort} backlog 4096
  default_backend prices

backend prices
  server prices 127.0.0.1:${ingressPort} ssl crt ${own}/both.pem ca-file ${own}/ca.crt verify required verifyhost ${name} sni str(${name}) no-ssl-reuse
`;
}

function ingressSections({ ingressPort, appPort, certificatesOf }: Place): string {
  const own = certificatesOf('prices');
  return `frontend ingress
  bind 127.0.0.1:${ingressPort} backlog 4096 ssl crt ${own}/both.pem ca-file ${own}/ca.crt verify required
  http-request deny unless { ssl_c_s_dn(cn) -m str cart }
  http-request set-header x-forwarded-client-cert Hash=%[ssl_c_sha1,hex];Subject=\\"%[ssl_c_s_dn]\\"
  default_backend app

backend app
  server app 127.0.0.1:${appPort}
`;
}
