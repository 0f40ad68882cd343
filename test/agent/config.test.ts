import { describe, expect, test } from 'vitest';
import { parseAgentConfig } from '#agent/config.ts';

const spiffeId = 'spiffe://shop.example/ns/default/sa/storefront';

const full = `
workload: prices
trustDomain: shop.example
identity:
  controlPlane:
    address: 127.0.0.1:9443
    trustBundle: /run/trust-bundle.pem
    joinToken: { stdin: true }
    stateDir: /var/lib/prices
inbound:
  listen: 127.0.0.1:15008
  ports:
    - port: 7002
      allow: [${spiffeId}]
    - { port: 7003, app: "127.0.0.1:9000", protocol: tcp, allow: ["*"], listen: "127.0.0.1:8443", mode: permissive }
outbound:
  upstreams:
    - { workload: orders, listen: "[::1]:7101", port: 7003, connectTimeout: 1s, timeout: 1m, maxRequests: 7 }
  httpProxy: { listen: 127.0.0.1:7100 }
  unknown: passthrough
admin: { listen: 127.0.0.1:15020, socket: /run/agent.sock }
limits: { headBytes: 8192, stallTimeout: 30s, connections: 100 }
serverFirst: [7003]
workers: 4
drain: 1m
whenExpired: end
log: debug
accessLog: { sample: 0.01, failures: sampled }
`;

test('a whole agent.yaml becomes settings with real types and units', () => {
  expect(parseAgentConfig(full)).toEqual({
    ok: true,
    value: {
      workload: 'prices',
      trustDomain: 'shop.example',
      identity: {
        kind: 'control-plane',
        address: { host: '127.0.0.1', port: 9443 },
        trustBundlePath: '/run/trust-bundle.pem',
        joinToken: { kind: 'stdin' },
        stateDir: '/var/lib/prices',
      },
      inbound: {
        listen: { host: '127.0.0.1', port: 15008 },
        advertise: undefined,
        ports: [
          {
            port: 7002,
            app: { host: '127.0.0.1', port: 7002 },
            protocol: 'auto',
            allow: [spiffeId],
            listen: undefined,
            mode: 'STRICT',
          },
          {
            port: 7003,
            app: { host: '127.0.0.1', port: 9000 },
            protocol: 'tcp',
            allow: 'any-peer',
            listen: { host: '127.0.0.1', port: 8443 },
            mode: 'PERMISSIVE',
          },
        ],
      },
      outbound: {
        upstreams: [
          {
            ...{ workload: 'orders', port: 7003, listen: { host: '::1', port: 7101 }, protocol: 'auto' },
            ...{ spiffeId: undefined, endpoints: undefined, transport: 'tunnel' },
            ...{ connectTimeoutMs: 1_000, timeoutMs: 60_000, maxRequests: 7 },
          },
        ],
        httpProxy: { listen: { host: '127.0.0.1', port: 7100 } },
        unknown: 'passthrough',
        tokenEndpoints: [],
      },
      gateway: undefined, // test/agent/gateway/config.test.ts
      admin: { listen: { host: '127.0.0.1', port: 15020 }, reachableFrom: 'loopback', socket: '/run/agent.sock' },
      limits: {
        ...{ headBytes: 8192, headers: 200, trailerBytes: 16_384, trailers: 100 },
        ...{ headMs: 10_000, idleMs: 300_000, stallMs: 30_000, connections: 100, requests: 20_000 },
      },
      serverFirst: [7003],
      workers: 4,
      drainMs: 60_000,
      whenExpired: 'end',
      logLevel: 'debug',
      accessLog: { to: { kind: 'stdout' }, sample: 0.01, failures: 'sampled' },
    },
  });
});

const minimal = 'workload: prices\ntrustDomain: shop.example\nidentity: { files: { dir: /certs } }\n';

test('what is left out has its default, and nobody is allowed in by one', () => {
  const parsed = parseAgentConfig(`${minimal}inbound: { listen: "127.0.0.1:0", ports: [{ port: 7002 }] }\n`);
  expect(parsed).toMatchObject({
    ok: true,
    value: {
      identity: { kind: 'files', dir: '/certs', trustDomain: 'shop.example' },
      inbound: { ports: [{ allow: [] }] },
      outbound: undefined,
      admin: { listen: undefined, reachableFrom: 'loopback', socket: undefined },
      workers: 1,
      drainMs: 25_000,
      whenExpired: 'keep',
      logLevel: 'info',
      accessLog: undefined,
    },
  });
});

test.each([
  ['accessLog: {}', { to: { kind: 'stdout' }, sample: 1, failures: 'always' }],
  ['accessLog: { to: stderr }', { to: { kind: 'stderr' }, sample: 1, failures: 'always' }],
  ['accessLog: { to: { file: /a.log } }', { to: { kind: 'file', path: '/a.log' }, sample: 1, failures: 'always' }],
])('%s asks for an access log', (text, accessLog) => {
  expect(parseAgentConfig(`${minimal}${text}\n`)).toMatchObject({ ok: true, value: { accessLog } });
});

test.each([
  ['{ port: 1, protocol: tcp }', undefined],
  ['{ port: 1, protocol: tcp, proxyProtocol: v2 }', { spiffeIdTlv: 0xe0 }],
  ['{ port: 1, protocol: tcp, proxyProtocol: v2, spiffeIdTlv: 0xEF }', { spiffeIdTlv: 0xef }],
])('%s: what a TCP app is told by', (port, proxyProtocol) => {
  const parsed = parseAgentConfig(`${minimal}inbound: { listen: "127.0.0.1:0", ports: [${port}] }\n`);
  expect(parsed.ok && parsed.value.inbound?.ports[0]?.proxyProtocol).toEqual(proxyProtocol);
});

describe('a problem is told with its path and what to write', () => {
  test.each([
    ['an unknown field', `${minimal}inbond: {}\n`, 'there is no setting inbond; did you mean inbound?'],
    [
      'an unknown field inside a list',
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1, alow: [] }] }\n`,
      'inbound.ports[0]: there is no setting alow; did you mean allow?',
    ],
    [
      'a field like no other',
      `${minimal}admin: { colour: red }\n`,
      'admin: there is no setting colour; there are listen,',
    ],
    ['a duplicate key (A67)', `${minimal}workload: orders\n`, 'line 4, column 1'],
    ['an alias (A67)', `${minimal}drain: &d 5s\nlog: *d\n`, 'Alias'],
    ['no document', '', 'expected object'],
    ['a bad name', minimal.replace('prices', 'Prices'), 'workload: write a DNS label'],
    ['a bad trust domain', minimal.replace('shop.example', 'Shop'), 'trustDomain: write a trust domain'],
    ['no identity', minimal.replace(/identity.*\n/, 'identity: {}\n'), 'identity: write exactly one'],
    [
      'a protocol that nobody speaks',
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1, protocol: grpc }] }\n`,
      'inbound.ports[0].protocol: write http, http2, tcp or auto',
    ],
    ...['http', 'http2', 'auto'].map((protocol): [string, string, string] => [
      `the PROXY protocol on a port of ${protocol}`,
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1, protocol: ${protocol}, proxyProtocol: v2 }] }\n`,
      'inbound.ports[0].proxyProtocol: needs protocol: tcp; connections to HTTP apps are shared between callers: ' +
        'those apps read x-forwarded-client-cert, so leave proxyProtocol out',
    ]),
    [
      'version 1 of the PROXY protocol',
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1, protocol: tcp, proxyProtocol: v1 }] }\n`,
      'inbound.ports[0].proxyProtocol: write v2',
    ],
    ...['0xDF', '0xF0', '224.5'].map((type): [string, string, string] => [
      `${type} as the type of a TLV`,
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1, protocol: tcp, proxyProtocol: v2, spiffeIdTlv: ${type} }] }\n`,
      'inbound.ports[0].spiffeIdTlv: write a type of the range for applications, 0xE0 to 0xEF',
    ]),
    [
      'a TLV without the PROXY protocol',
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1, protocol: tcp, spiffeIdTlv: 0xE1 }] }\n`,
      'inbound.ports[0].spiffeIdTlv: needs proxyProtocol: v2 beside it',
    ],
    ['a ceiling of nothing', `${minimal}limits: { requests: 0 }\n`, 'limits.requests: write a whole number'],
    ['no worker', `${minimal}workers: 0\n`, 'workers: write a whole number, 1 to 64'],
    ['too many workers', `${minimal}workers: 65\n`, 'workers: write a whole number, 1 to 64'],
    ['half a worker', `${minimal}workers: 1.5\n`, 'workers: write a whole number, 1 to 64'],
    ['a duration without a unit', `${minimal}drain: 25\n`, 'drain: write a duration'],
    ['a share of more than all', `${minimal}accessLog: { sample: 2 }\n`, 'accessLog.sample: write a number, 0 to 1'],
    ['an access log elsewhere', `${minimal}accessLog: { to: syslog }\n`, 'accessLog.to: write stdout, stderr or'],
    [
      'a join token in the file itself',
      minimal.replace(
        /identity.*\n/,
        'identity: { controlPlane: { address: "a:1", trustBundle: /t, joinToken: secret-token } }\n',
      ),
      'identity.controlPlane.joinToken: write { file: /path }',
    ],
    [
      'neither token nor state',
      minimal.replace(/identity.*\n/, 'identity: { controlPlane: { address: "a:1", trustBundle: /t } }\n'),
      'needs joinToken, or stateDir',
    ],
    ['an address without a port', `${minimal}admin: { listen: 127.0.0.1 }\n`, 'admin.listen: write host:port'],
    ['a port out of range', `${minimal}admin: { listen: "127.0.0.1:65536" }\n`, 'admin.listen: write host:port'],
    [
      'an admin port for everybody',
      `${minimal}admin: { listen: "0.0.0.0:1" }\n`,
      'admin.listen: not a loopback address',
    ],
    [
      'an upstream port for everybody',
      `${minimal}outbound: { upstreams: [{ workload: a, port: 1, listen: "0.0.0.0:1" }] }\n`,
      'outbound.upstreams[0].listen: not a loopback address: whoever reaches it speaks as this workload',
    ],
    [
      'an HTTP proxy for everybody',
      `${minimal}outbound: { httpProxy: { listen: "[::]:1" } }\n`,
      'outbound.httpProxy.listen: not a loopback address',
    ],
    [
      'a bad SPIFFE ID',
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1, allow: ["spiffe://A/b"] }] }\n`,
      'inbound.ports[0].allow[0]: not a SPIFFE ID',
    ],
    [
      'a star among others (A67)',
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1, allow: ["*", "${spiffeId}"] }] }\n`,
      'inbound.ports[0].allow[0]',
    ],
    [
      'the same port twice',
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1 }, { port: 1 }] }\n`,
      'inbound.ports[1].port: 1 is there twice',
    ],
    [
      'the same address twice',
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1, listen: "127.0.0.1:1" }] }\n`,
      'is already the address of inbound.listen',
    ],
    [
      'a permissive port that plaintext callers cannot reach',
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1, mode: permissive }] }\n`,
      'inbound.ports[0].mode: permissive needs a listener of the port’s own: write listen: HOST:PORT beside it',
    ],
    [
      'a mode that there is not',
      `${minimal}inbound: { listen: "127.0.0.1:1", ports: [{ port: 1, mode: disable }] }\n`,
      'inbound.ports[0].mode: write strict or permissive',
    ],
    [
      'an upstream nobody can reach',
      `${minimal}outbound: { upstreams: [{ workload: a, port: 1, endpoints: ["h:1"], spiffeId: "${spiffeId}" }] }\n`,
      'outbound.upstreams[0].listen: needed',
    ],
    [
      'files, but no endpoints',
      `${minimal}outbound: { upstreams: [{ workload: a, port: 1, listen: "127.0.0.1:1" }] }\n`,
      'outbound.upstreams[0].endpoints: needed',
    ],
    [
      'endpoints without a name',
      `${minimal}outbound: { upstreams: [{ workload: a, port: 1, listen: "127.0.0.1:1", endpoints: ["h:1"] }] }\n`,
      'outbound.upstreams[0].spiffeId: needed',
    ],
    [
      'an upstream twice',
      `${minimal}outbound: { httpProxy: { listen: "127.0.0.1:1" }, upstreams: [{ workload: a, port: 1, endpoints: ["h:1"], spiffeId: "${spiffeId}" }, { workload: a, port: 1, endpoints: ["h:1"], spiffeId: "${spiffeId}" }] }\n`,
      'a:1 is there twice',
    ],
  ])('%s', (_name, text, problem) => {
    const parsed = parseAgentConfig(text);
    expect(parsed.ok).toBe(false);
    expect(!parsed.ok && parsed.reason).toContain(problem);
    expect(!parsed.ok && parsed.reason).not.toContain('secret-token');
  });

  test('all of them at once', () => {
    const parsed = parseAgentConfig('workload: A\ntrustDomain: B\nidentity: {}\ndrain: x\nmore: 1\n');
    expect(!parsed.ok && parsed.reason.split('\n')).toHaveLength(5);
  });
});
