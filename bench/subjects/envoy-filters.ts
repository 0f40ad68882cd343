import type { Protocol } from './subject.ts';

const types = 'type.googleapis.com/envoy.extensions.filters';

/** What egress does with what it reads: pass it on. */
export function egressFilters(protocol: Protocol, cluster: string): readonly object[] {
  return protocol === 'tcp' ? [tcpProxy(cluster)] : [httpManager(cluster, { http_filters: [router] })];
}

interface Ingress {
  readonly cluster: string;
  /** SPIFFE ID of the only one who may call. */
  readonly caller: string;
}

/** What ingress does: admit one caller and, where HTTP is spoken, tell the app who that is. */
export function ingressFilters(protocol: Protocol, { cluster, caller }: Ingress): readonly object[] {
  const principal = { authenticated: { principal_name: { exact: caller } } };
  const rules = { action: 'ALLOW', policies: { cart: { permissions: [{ any: true }], principals: [principal] } } };
  if (protocol === 'tcp') {
    const rbac = { '@type': `${types}.network.rbac.v3.RBAC`, stat_prefix: 'rbac', rules };
    return [{ name: 'envoy.filters.network.rbac', typed_config: rbac }, tcpProxy(cluster)];
  }
  const rbac = { name: 'envoy.filters.http.rbac', typed_config: { '@type': `${types}.http.rbac.v3.RBAC`, rules } };
  return [
    httpManager(cluster, {
      forward_client_cert_details: 'SANITIZE_SET',
      set_current_client_cert_details: { uri: true, subject: true },
      http_filters: [rbac, router],
    }),
  ];
}

function tcpProxy(cluster: string): object {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: { '@type': `${types}.network.tcp_proxy.v3.TcpProxy`, stat_prefix: 'tcp', cluster },
  };
}

const router = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': `${types}.http.router.v3.Router` },
};

function httpManager(cluster: string, settings: object): object {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${types}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'http',
      generate_request_id: false,
      stream_idle_timeout: '0s',
      common_http_protocol_options: { idle_timeout: '3600s' },
      route_config: {
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, route: { cluster, timeout: '0s' } }],
          },
        ],
      },
      ...settings,
    },
  };
}
