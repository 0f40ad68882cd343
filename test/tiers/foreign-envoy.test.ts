import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { writeCertificates, type Identities } from '#bench/certificates.ts';
import type { Place, Protocol } from '#bench/subjects/subject.ts';
import { freePort, startReadyAgent, type AgentProcess } from '#support/agent-process.ts';
import { startHttpApp, startTcpApp, type HttpApp, type SeenRequest } from '#support/apps.ts';
import { startEnvoy } from '#support/foreign-envoy.ts';
import { interopCases, nodeCases } from '#support/interop/interop-cases.ts';
import { InteropClient } from '#support/interop/interop-client.ts';
import { startInteropServer } from '#support/interop/interop-server.ts';
import { lacks } from '#support/needs.ts';
import { send } from '#support/pair-world.ts';

describe.skipIf(lacks('Envoy as a foreign peer', 'envoy'))('Envoy as a foreign peer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'eastwest-envoy-'));
  let identities: Identities;
  let stack: AsyncDisposableStack;

  beforeAll(async () => {
    identities = await writeCertificates(folder);
  });
  beforeEach(() => {
    stack = new AsyncDisposableStack();
  });
  afterEach(() => stack.disposeAsync());
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const agent = async (workload: 'cart' | 'prices', traffic: object): Promise<AgentProcess> => {
    const identity = { files: { dir: identities.certificatesOf(workload) } };
    return stack.use(await startReadyAgent({ workload, trustDomain: identities.trustDomain, identity, ...traffic }));
  };
  const placeAt = (ports: Pick<Place, 'egressPort' | 'ingressPort' | 'appPort'>, protocol: Protocol): Place => ({
    ...identities,
    ...ports,
    protocol,
    dir: mkdtempSync(join(folder, 'envoy-')),
  });

  /** Envoy of cart → our agent of prices → the app; resolves with Envoy's port. */
  async function envoyCalls(appPort: number, protocol: Protocol, upstream: 'http1' | 'http2'): Promise<number> {
    const port = { port: 7002, app: `127.0.0.1:${appPort}`, protocol, allow: [identities.spiffeIdOf('cart')] };
    const prices = await agent('prices', { inbound: { listen: '127.0.0.1:0', ports: [port] } });
    const place = placeAt(
      { egressPort: await freePort(), ingressPort: (await prices.address('inbound')).port, appPort },
      protocol,
    );
    stack.use(await startEnvoy(place, { side: 'egress', upstream }));
    return place.egressPort;
  }

  /** Our agent of cart → Envoy of prices → the app; resolves with the upstream's port. */
  async function callsEnvoy(appPort: number, protocol: Protocol): Promise<number> {
    const place = placeAt({ egressPort: 0, ingressPort: await freePort(), appPort }, protocol);
    stack.use(await startEnvoy(place, { side: 'ingress' }));
    const upstream = {
      ...{ workload: 'prices', port: 7002, listen: '127.0.0.1:0', transport: 'mtls', protocol },
      ...{ spiffeId: identities.spiffeIdOf('prices'), endpoints: [`127.0.0.1:${place.ingressPort}`] },
    };
    const cart = await agent('cart', { outbound: { upstreams: [upstream] } });
    return (await cart.address('upstream prices:7002')).port;
  }

  /** Small and large, one by one and many at once. */
  async function useHttp(port: number, app: HttpApp): Promise<void> {
    const large = Buffer.alloc(1_000_000, 'large ');
    expect((await send(port, { path: '/first' })).status).toBe(200);
    const post = await send(port, { method: 'POST', path: '/large', body: large });
    expect(JSON.parse(post.body)).toMatchObject({ method: 'POST', url: '/large', bodyBytes: large.length });
    const chunked = { 'transfer-encoding': 'chunked', trailer: 'x-sum' };
    const streamed = await send(port, { method: 'PUT', path: '/chunked', headers: chunked, body: 'some' });
    expect(JSON.parse(streamed.body)).toMatchObject({ method: 'PUT', bodyBytes: 4 });
    const paths = Array.from({ length: 50 }, (_none, index) => `/${index}`);
    const replies = await Promise.all(paths.map((path) => send(port, { path })));
    expect(replies.map(({ body }) => (JSON.parse(body) as SeenRequest).url)).toEqual(paths);
    expect(app.seen).toHaveLength(53);
  }

  function expectNamed(app: HttpApp): void {
    for (const { headers } of app.seen) {
      const at = headers.findIndex((name) => name.toLowerCase() === 'x-forwarded-client-cert');
      expect(headers[at + 1]).toContain(`URI=${identities.spiffeIdOf('cart')}`);
    }
  }

  async function runInterop(port: number): Promise<void> {
    using client = new InteropClient(port);
    for (const name of interopCases) await expect(nodeCases[name](client), name).resolves.toBeUndefined();
  }

  async function useEcho(port: number): Promise<void> {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const sent = Buffer.alloc(300_000, 'opaque ');
    const got: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => got.push(bytes));
    socket.end(sent);
    await once(socket, 'end');
    expect(Buffer.concat(got).equals(sent)).toBe(true);
  }

  describe.each(['http1', 'http2'] as const)('Envoy → our inbound port over %s', (upstream) => {
    test('requests reach an app of HTTP/1.1, and it sees who calls', async () => {
      const app = stack.use(await startHttpApp());
      await expect(useHttp(await envoyCalls(app.address.port, 'http', upstream), app)).resolves.toBeUndefined();
      expectNamed(app);
    });
  });

  test('Envoy → our inbound port: gRPC’s interoperability cases', async () => {
    const server = stack.use(await startInteropServer());
    await expect(runInterop(await envoyCalls(server.port, 'http2', 'http2'))).resolves.toBeUndefined();
  });

  test('Envoy → our inbound port: bytes, without ALPN', async () => {
    const app = stack.use(await startTcpApp());
    await expect(useEcho(await envoyCalls(app.address.port, 'tcp', 'http2'))).resolves.toBeUndefined();
  });

  test('our outbound with transport mtls → Envoy: HTTP/1.1, and its RBAC admits us', async () => {
    const app = stack.use(await startHttpApp());
    await expect(useHttp(await callsEnvoy(app.address.port, 'http'), app)).resolves.toBeUndefined();
    expectNamed(app);
  });

  test('our outbound with transport mtls → Envoy: gRPC’s interoperability cases over ALPN h2', async () => {
    const server = stack.use(await startInteropServer());
    await expect(runInterop(await callsEnvoy(server.port, 'http2'))).resolves.toBeUndefined();
  });

  test('our outbound with transport mtls → Envoy: bytes', async () => {
    const app = stack.use(await startTcpApp());
    await expect(useEcho(await callsEnvoy(app.address.port, 'tcp'))).resolves.toBeUndefined();
  });
});
