import { ingressFilters, egressFilters } from './envoy-filters.ts';
import { downstreamTls, upstreamTls } from './envoy-tls.ts';
import type { Launch, Place, Subject } from './subject.ts';

/** Between egress and ingress, where HTTP is spoken. */
type Upstream = 'http1' | 'http2';

/** Envoy with HTTP/2 between the two: the better one of its two ways. */
export const envoy: Subject = createEnvoy('envoy', 'http2');

/** Envoy with HTTP/1.1 between the two. */
export const envoyHttp1: Subject = createEnvoy('envoy-h1', 'http1');

/**
 * One worker; `x-forwarded-client-cert` set (SANITIZE_SET), the caller admitted by an RBAC filter, circuit breakers out
 * of the way, no request IDs. Bytes go through `tcp_proxy`. Configured in JSON, which is YAML too.
 */
function createEnvoy(name: string, upstream: Upstream): Subject {
  return {
    name,
    program: 'envoy',
    versionWords: ['--version'],
    effort: upstream === 'http2' ? 'always' : 'full',
    duties: 'checked',
    lacks: (protocol) =>
      protocol === 'http' || upstream === 'http2' ? undefined : 'differs from envoy with HTTP/1.1 only',
    egress: (place) => launch(place, place.egressPort, egressResources(place, upstream)),
    ingress: (place) => launch(place, place.ingressPort, ingressResources(place)),
  };
}

function launch({ dir }: Place, port: number, resources: object): Launch {
  const path = `${dir}/envoy.json`;
  return {
    dir,
    files: { 'envoy.json': JSON.stringify({ static_resources: resources }, undefined, 2) },
    words: ['-c', path, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'error'],
    ready: { kind: 'port-open', port },
  };
}

function egressResources(place: Place, upstream: Upstream): object {
  const { egressPort, ingressPort, protocol } = place;
  return {
    listeners: [listener(egressPort, { filters: egressFilters(protocol, 'prices') })],
    clusters: [
      {
        ...cluster('prices', ingressPort),
        transport_socket: upstreamTls(place, protocol === 'tcp' ? [] : [upstream === 'http2' ? 'h2' : 'http/1.1']),
        ...(protocol === 'tcp' ? {} : httpOptions(upstream)),
      },
    ],
  };
}

function ingressResources(place: Place): object {
  const { ingressPort, appPort, protocol, spiffeIdOf } = place;
  const filters = ingressFilters(protocol, { cluster: 'app', caller: spiffeIdOf('cart') });
  return {
    listeners: [listener(ingressPort, { filters, transport_socket: downstreamTls(place) })],
    clusters: [
      {
        ...cluster('app', appPort),
        ...(protocol === 'tcp' ? {} : httpOptions(protocol === 'http2' ? 'http2' : 'http1')),
      },
    ],
  };
}

function listener(port: number, chain: object): object {
  return { name: 'listener', address: address(port), tcp_backlog_size: 4096, filter_chains: [chain] };
}

function cluster(name: string, port: number): object {
  const most = 10_000;
  const thresholds = [{ max_connections: most, max_pending_requests: most, max_requests: most, max_retries: most }];
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    circuit_breakers: { thresholds },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  };
}

function httpOptions(upstream: Upstream): object {
  const config = upstream === 'http2' ? { http2_protocol_options: {} } : { http_protocol_options: {} };
  return {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: config,
      },
    },
  };
}

function address(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
