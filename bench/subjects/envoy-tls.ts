import type { Place, Workload } from './subject.ts';

const types = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';

/** Envoy speaks TLS 1.2 to upstreams unless told otherwise. Of 1.3 it takes AES-128-GCM first, like all others here. */
const params = { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' };

/** To `prices` and nobody else, without session resumption. */
export function upstreamTls(place: Place, alpn: readonly string[]): object {
  return socket('UpstreamTlsContext', {
    sni: place.hostNameOf('prices'),
    max_session_keys: 0,
    common_tls_context: { ...common(place, 'cart', 'prices'), alpn_protocols: alpn },
  });
}

/** From callers with a certificate; who of them may call is the RBAC filter's matter. */
export function downstreamTls(place: Place): object {
  const alpn = place.protocol === 'tcp' ? [] : ['h2', 'http/1.1'];
  return socket('DownstreamTlsContext', {
    require_client_certificate: true,
    disable_stateless_session_resumption: true,
    disable_stateful_session_resumption: true,
    common_tls_context: { ...common(place, 'prices'), alpn_protocols: alpn },
  });
}

function common({ certificatesOf, spiffeIdOf }: Place, own: Workload, peer?: Workload): object {
  const file = (name: string): object => ({ filename: `${certificatesOf(own)}/${name}` });
  const names =
    peer === undefined
      ? {}
      : { match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: spiffeIdOf(peer) } }] };
  return {
    tls_params: params,
    tls_certificates: [{ certificate_chain: file('tls.crt'), private_key: file('tls.key') }],
    validation_context: { trusted_ca: file('ca.crt'), ...names },
  };
}

function socket(context: string, settings: object): object {
  return { name: 'envoy.transport_sockets.tls', typed_config: { '@type': `${types}.${context}`, ...settings } };
}
