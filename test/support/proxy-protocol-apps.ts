import { join } from 'node:path';
import { freePort } from './agent-process.ts';
import { startForeignProgram, type ForeignProgram } from './foreign-program.ts';

export interface ForeignApp extends ForeignProgram {
  readonly port: number;
}

/** HAProxy as the app: answers an HTTP request with the connection's ends, as it read them in the PROXY protocol. */
export function startHaproxyApp(folder: string): Promise<ForeignApp> {
  return start('haproxy', folder, (dir, port) => ({
    words: ['-db', '-f', join(dir, 'haproxy.cfg')],
    files: {
      'haproxy.cfg': `defaults
  mode http
  timeout client 1m
  timeout connect 5s
  timeout server 1m
frontend app
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"
`,
    },
  }));
}

/** nginx as the app, by its stream module: says the connection's ends at once, as it read them in the PROXY protocol. */
export function startNginxApp(folder: string): Promise<ForeignApp> {
  const ends = ['addr', 'port', 'server_addr', 'server_port'].map((name) => `$proxy_protocol_${name}`).join(' ');
  return start('nginx', folder, (dir, port) => ({
    words: ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', 'stderr'],
    files: {
      'nginx.conf': `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off; # so that it ends whole
pid nginx.pid;
error_log stderr crit;
events {}
stream {
  server {
    listen 127.0.0.1:${port} proxy_protocol;
    return "${ends}";
  }
}
`,
    },
  }));
}

/**
 * Envoy as the app, before an app that sends everything back: what it logs when a connection ends has the caller's address
 * and the TLV's value, which its listener filter took from the PROXY protocol.
 */
export function startEnvoyApp(folder: string, echoPort: number): Promise<ForeignApp> {
  return start('envoy', folder, (dir, port) => ({
    words: [
      ...['-c', join(dir, 'envoy.json'), '--concurrency', '1', '--disable-hot-restart'],
      ...['--log-level', 'error', '--file-flush-interval-msec', '50'],
    ],
    files: { 'envoy.json': JSON.stringify({ static_resources: envoyResources(port, echoPort) }) },
  }));
}

async function start(
  program: string,
  folder: string,
  launch: (dir: string, port: number) => { words: readonly string[]; files: Readonly<Record<string, string>> },
): Promise<ForeignApp> {
  const port = await freePort();
  const dir = join(folder, program);
  const running = await startForeignProgram(program, { dir, ...launch(dir, port) }, port);
  return {
    port,
    get said() {
      return running.said;
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

const typeUrl = (name: string): string => `type.googleapis.com/envoy.extensions.${name}`;

function envoyResources(port: number, echoPort: number): object {
  const told = '%DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol:spiffe_id)%';
  const log = {
    name: 'envoy.access_loggers.stdout',
    typed_config: {
      '@type': typeUrl('access_loggers.stream.v3.StdoutAccessLog'),
      log_format: { text_format_source: { inline_string: `%DOWNSTREAM_REMOTE_ADDRESS% ${told}\n` } },
    },
  };
  const address = (at: number): object => ({ socket_address: { address: '127.0.0.1', port_value: at } });
  const listener = {
    name: 'app',
    address: address(port),
    listener_filters: [
      {
        name: 'envoy.filters.listener.proxy_protocol',
        typed_config: {
          '@type': typeUrl('filters.listener.proxy_protocol.v3.ProxyProtocol'),
          rules: [{ tlv_type: 0xe0, on_tlv_present: { key: 'spiffe_id' } }],
        },
      },
    ],
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.tcp_proxy',
            typed_config: {
              '@type': typeUrl('filters.network.tcp_proxy.v3.TcpProxy'),
              ...{ stat_prefix: 'app', cluster: 'echo', access_log: [log] },
            },
          },
        ],
      },
    ],
  };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(echoPort) } }] }];
  const cluster = { name: 'echo', type: 'STATIC', load_assignment: { cluster_name: 'echo', endpoints } };
  return { listeners: [listener], clusters: [cluster] };
}
