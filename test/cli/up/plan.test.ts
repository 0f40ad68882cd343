import { describe, expect, test } from 'vitest';
import { parseAgentConfig } from '#agent/config.ts';
import { parseMeshFile } from '#cli/up/mesh-file.ts';
import type { Mesh } from '#cli/up/mesh-types.ts';
import { planMesh, portsNeeded } from '#cli/up/plan.ts';

const shop = `
name: shop
svidLife: 20s
workloads:
  - name: storefront
    run: [node, a.js]
    listens: [{ port: 7001 }]
    calls: [{ to: prices, listen: 7101 }, { to: orders, port: 7004, listen: 7104 }]
  - name: prices
    run: [node, b.js]
    listens: [{ port: 7002 }]
    calls: [{ to: orders, port: 7003, listen: 7103 }]
  - name: orders
    run: [node, c.js]
    listens: [{ port: 7003 }, { port: 7004, protocol: tcp, proxyProtocol: v2 }]
  - name: report
    run: [node, d.js]
    capture: http-proxy
    workers: 3
    calls: [{ to: prices }]
traffic: [{ url: "http://127.0.0.1:7001/", perSecond: 50 }]
`;

function planOf(text: string) {
  const read = parseMeshFile(text);
  if (!read.ok) throw new Error(read.reason.join('\n'));
  return planMesh(read.value, places(read.value));
}

const places = (mesh: Mesh) => ({
  controlPlaneDir: '/state/control-plane',
  logDir: '/state/logs',
  socketDir: '/tmp/eastwest-x',
  freePorts: Array.from({ length: portsNeeded(mesh) }, (_, i) => 40_000 + i),
});

const id = (name: string): string => `spiffe://shop.example/ns/default/sa/${name}`;

describe('the plan of a mesh', () => {
  const plan = planOf(shop);
  const configs = plan.workloads.map(({ agentConfig }) => {
    const read = parseAgentConfig(agentConfig);
    if (!read.ok) throw new Error(read.reason);
    return read.value;
  });
  const [storefront, prices, orders, report] = configs;

  test('allows exactly the calls that the file names, everything else is denied', () => {
    expect(storefront?.inbound?.ports.map(({ port, allow }) => [port, allow])).toEqual([[7001, []]]);
    expect(prices?.inbound?.ports.map(({ port, allow }) => [port, allow])).toEqual([
      [7002, [id('storefront'), id('report')]],
    ]);
    expect(orders?.inbound?.ports.map(({ port, protocol, allow }) => [port, protocol, allow])).toEqual([
      [7003, 'auto', [id('prices')]],
      [7004, 'tcp', [id('storefront')]],
    ]);
  });

  test('gives each agent a configuration it accepts, with its token by standard input and no token in it', () => {
    for (const config of configs) {
      expect(config.identity).toMatchObject({
        kind: 'control-plane',
        joinToken: { kind: 'stdin' },
        trustBundlePath: '/state/control-plane/trust-bundle.pem',
        stateDir: undefined,
      });
    }
    expect(report?.inbound).toBeUndefined();
    expect(orders?.outbound).toBeUndefined();
  });

  test('tells the agents where the apps call', () => {
    expect(storefront?.outbound?.upstreams).toMatchObject([
      { workload: 'prices', port: 7002, protocol: 'auto', listen: { host: '127.0.0.1', port: 7101 } },
      { workload: 'orders', port: 7004, protocol: 'tcp', listen: { host: '127.0.0.1', port: 7104 } },
    ]);
    expect(report?.outbound?.upstreams).toMatchObject([{ workload: 'prices', listen: undefined }]);
  });

  test('gives a port a listener of its own where the file says so, and its mode', () => {
    const portsOf = (listens: string) => {
      const mesh = planOf(`name: one\nworkloads:\n  - { name: a, run: [x], listens: [${listens}] }\n`);
      const config = JSON.parse(mesh.workloads[0]!.agentConfig) as { inbound: { ports: unknown[] } };
      return config.inbound.ports;
    };
    expect(portsOf('{ port: 1001, listen: 2001, mode: permissive }, { port: 1002 }')).toEqual([
      expect.objectContaining({ port: 1001, listen: '127.0.0.1:2001', mode: 'permissive', allow: [] }),
      { port: 1002, app: '127.0.0.1:1002', protocol: 'auto', allow: [] },
    ]);
  });

  test('gives an app captured by HTTP_PROXY what it needs, and the others nothing', () => {
    const proxy = `http://127.0.0.1:${report?.outbound?.httpProxy?.listen.port}`;
    expect(plan.workloads[3]?.appEnv).toEqual({
      HTTP_PROXY: proxy,
      http_proxy: proxy,
      NO_PROXY: 'localhost,127.0.0.1,::1',
      no_proxy: 'localhost,127.0.0.1,::1',
      NODE_USE_ENV_PROXY: '1',
    });
    expect(plan.workloads[0]?.appEnv).toEqual({});
  });

  test('tells an agent whose app is to hear by the PROXY protocol who calls', () => {
    expect(orders?.inbound?.ports.map(({ proxyProtocol }) => proxyProtocol)).toEqual([
      undefined,
      { spiffeIdTlv: 0xe0 },
    ]);
  });

  test('lets in whom the calls name, or with `admit: policies` nobody: the apps may dial all the same', () => {
    const text = (admit: string): string => `name: a
${admit}workloads:
  - { name: cart, run: [a], calls: [{ to: prices, listen: 7102 }] }
  - { name: prices, run: [a], listens: [{ port: 7002 }] }
`;
    const agents = (admit: string) =>
      planOf(text(admit)).workloads.map(({ agentConfig }) => JSON.parse(agentConfig) as Record<string, never>);
    const allowed = (admit: string): unknown => agents(admit)[1]?.['inbound'];
    expect(allowed('')).toMatchObject({ ports: [{ allow: ['spiffe://a.example/ns/default/sa/cart'] }] });
    expect(allowed('admit: policies\n')).toMatchObject({ ports: [{ allow: [] }] });
    expect(agents('admit: policies\n')[0]?.['outbound']).toMatchObject({ upstreams: [{ workload: 'prices' }] });
  });

  test('gives each agent as many workers as the file says', () => {
    expect(configs.map(({ workers }) => workers)).toEqual([1, 1, 1, 3]);
  });

  test('has each agent write an access log, unless the file says no', () => {
    expect(configs.map(({ accessLog }) => accessLog?.to)).toEqual(
      plan.workloads.map(({ workload: { name } }) => ({ kind: 'file', path: `/state/logs/${name}.access.log` })),
    );
    const quiet = planOf(`${shop}accessLog: false\n`);
    expect(quiet.workloads.map(({ agentConfig }) => agentConfig.includes('accessLog'))).toEqual(
      quiet.workloads.map(() => false),
    );
  });

  test('uses no port twice', () => {
    const addresses = plan.workloads.flatMap(({ inbound, admin, httpProxy }) =>
      [inbound, admin, httpProxy ?? []].flat(),
    );
    const all = [plan.controlPlane.address, ...addresses];
    expect(new Set(all).size).toBe(all.length);
  });

  test('starts callees before their callers and knows the longest way of a request', () => {
    expect(plan.startOrder).toEqual(['orders', 'prices', 'storefront', 'report']);
    expect(plan.path).toEqual(['storefront', 'prices', 'orders']);
  });
});

test('a circle of calls has a start order and a path all the same', () => {
  const plan = planOf(`
name: ring
workloads:
  - { name: a, run: [x], listens: [{ port: 1001 }], calls: [{ to: b, listen: 2001 }] }
  - { name: b, run: [x], listens: [{ port: 1002 }], calls: [{ to: c, listen: 2002 }] }
  - { name: c, run: [x], listens: [{ port: 1003 }], calls: [{ to: a, listen: 2003 }] }
traffic: [{ url: "http://127.0.0.1:1001/", perSecond: 1 }]
`);
  expect(plan.startOrder).toEqual(['c', 'b', 'a']);
  expect(plan.path).toEqual(['a', 'b', 'c']);
});

test('TCP ends the path of a request', () => {
  const plan = planOf(`
name: two
workloads:
  - { name: a, run: [x], calls: [{ to: b, listen: 2001 }] }
  - { name: b, run: [x], listens: [{ port: 1002, protocol: tcp }] }
`);
  expect(plan.path).toEqual(['a']);
});
