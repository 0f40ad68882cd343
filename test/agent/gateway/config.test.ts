import { describe, expect, test } from 'vitest';
import { parseAgentConfig } from '#agent/config.ts';

const peer = 'spiffeId: spiffe://shop.example/ns/default/sa/orders, endpoints: ["10.0.0.2:15008"]';
const routes = '[{ host: Shop.Example, path: /orders, workload: orders, port: 7002 }]';

interface Parts {
  readonly gateway?: string;
  readonly routes?: string;
  readonly upstream?: string;
  readonly admin?: string;
}

const document = (parts: Parts = {}): string => `
workload: gateway
trustDomain: shop.example
identity: { files: { dir: /certs } }
outbound:
  upstreams:
    - { workload: orders, port: 7002, ${peer}${parts.upstream ?? ''} }
gateway:
  ${parts.gateway ?? 'https: { listen: "0.0.0.0:8443", certificate: /tls/tls.crt, key: /tls/tls.key }'}
  routes: ${parts.routes ?? routes}
${parts.admin ?? ''}
`;

test('a gateway is its doors, its routes and its rate; its upstreams need no port of their own', () => {
  const parsed = parseAgentConfig(document());
  expect(parsed).toMatchObject({
    ok: true,
    value: {
      gateway: {
        https: { listen: { host: '0.0.0.0', port: 8443 }, certificatePath: '/tls/tls.crt', keyPath: '/tls/tls.key' },
        http: undefined,
        routes: [{ host: 'shop.example', path: '/orders', workload: 'orders', port: 7002 }],
        rateLimit: { burst: 200, perSecond: 100 },
      },
    },
  });
});

const route = (text: string): Parts => ({ routes: `[{ ${text}, workload: orders, port: 7002 }]` });

describe('a problem is told with its path and what to write', () => {
  test.each<[string, Parts, string]>([
    ['no door', { gateway: 'rateLimit: { burst: 1, perSecond: 1 }' }, 'gateway: write https, http or both'],
    [
      'HTTP for everybody',
      { gateway: 'http: { listen: "0.0.0.0:80" }' },
      'gateway.http.listen: not a loopback address: without TLS only this machine may call',
    ],
    ['HTTPS without a key', { gateway: 'https: { listen: "0.0.0.0:8443", certificate: /a }' }, 'gateway.https.key'],
    ['no routes', { routes: '[]' }, 'gateway.routes: list at least one route'],
    ['a host with a port', route('host: "shop.example:443"'), 'gateway.routes[0].host: write a host name'],
    ['a host that is a URL', route('host: "https://shop.example"'), 'gateway.routes[0].host: write a host name'],
    ['a star in the middle', route('host: "a.*.example"'), 'gateway.routes[0].host: write a host name'],
    ['a star alone', route('host: "*"'), 'gateway.routes[0].host: write a host name'],
    ['a path without a slash', route('host: a, path: orders'), 'gateway.routes[0].path: write / or /orders'],
    ['a path with an end slash', route('host: a, path: /orders/'), 'gateway.routes[0].path: write / or /orders'],
    ['a path that is written twofold', route('host: a, path: /%6frders'), 'gateway.routes[0].path: write / or'],
    ['a path with a query', route('host: a, path: "/a?b"'), 'gateway.routes[0].path: write / or /orders'],
    ['a path with dots (A56)', route('host: a, path: /a/../b'), 'gateway.routes[0].path: no . or ..'],
    [
      'a workload that is no upstream',
      { routes: '[{ host: a, workload: prices, port: 1 }]' },
      'gateway.routes[0]: prices:1 is not among outbound.upstreams',
    ],
    ['an upstream without HTTP', { upstream: ', protocol: tcp' }, 'gateway.routes[0]: orders:7002 does not speak HTTP'],
    [
      'the same place twice',
      { routes: '[{ host: a, workload: orders, port: 7002 }, { host: A, path: /, workload: orders, port: 7002 }]' },
      'gateway.routes[1]: a/ is there twice',
    ],
    [
      'no rate',
      { gateway: 'http: { listen: "127.0.0.1:80" }\n  rateLimit: { burst: 0, perSecond: 1 }' },
      'rateLimit.burst',
    ],
    [
      'the address of another door',
      { gateway: 'http: { listen: "127.0.0.1:80" }', admin: 'admin: { listen: "127.0.0.1:80" }' },
      'admin.listen: 127.0.0.1:80 is already the address of gateway.http.listen',
    ],
  ])('%s', (_name, parts, problem) => {
    const parsed = parseAgentConfig(document(parts));
    expect(!parsed.ok && parsed.reason).toContain(problem);
  });
});
