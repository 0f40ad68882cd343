import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { createIdentityStore } from '#agent/identity/store.ts';
import { clientTlsOptions } from '#agent/tls/contexts.ts';
import { GatewayStage, sendHttps } from '#support/gateway-stage.ts';
import { send, sendRaw, upstreamDefaults } from '#support/pair-world.ts';
import { policy } from '#support/pushed-policies.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

/** An app that says which caller it was told of. */
const telling = (): Promise<number> =>
  world.httpApp((incoming, reply) => reply.end(String(incoming.headers['x-forwarded-client-cert'])));
const from = (workload: string): string =>
  `from: [{ source: { principals: [test.example/ns/default/sa/${workload}] } }]`;
const may = (methods: string): string => `to: [{ operation: { methods: [${methods}] } }]`;

describe('the topology of docs/gateway.md (S8)', () => {
  test('policies tell what comes through the gateway from what comes from workloads, of one callee', async () => {
    const stage = new GatewayStage(world);
    const orders = await stage.workload('orders', await telling(), 'http', []);
    orders.push(
      policy(`{ rules: [{ ${from('gateway')}, ${may('GET')} }, { ${from('web')}, ${may('GET, DELETE')} }] }`) +
        policy(
          `{ action: DENY, rules: [{ ${from('gateway')}, to: [{ operation: { paths: [/internal/*] } }] }] }`,
          'edge',
        ),
    );
    const gateway = await stage.gateway(['shop.example/ → orders']);
    const outside = async (method: string, path: string): Promise<number> =>
      (await sendHttps(gateway, `https://shop.example${path}`, { method })).status;
    const web = await world.calling(
      [
        {
          ...{ workload: 'orders', port: 7002, listen: { host: '127.0.0.1', port: 0 }, protocol: 'http' },
          ...{ transport: 'tunnel', spiffeId: world.domain.spiffeId('orders'), endpoints: [orders.inbound.address] },
          ...upstreamDefaults,
        },
      ],
      { as: 'web' },
    );
    const inside = async (method: string, path: string): Promise<number> =>
      (await send(web.upstream.port, { method, path })).status;

    expect([await outside('GET', '/1'), await inside('GET', '/1')]).toEqual([200, 200]);
    expect([await outside('DELETE', '/1'), await inside('DELETE', '/1')]).toEqual([403, 200]);
    expect([await outside('GET', '/internal/1'), await inside('GET', '/internal/1')]).toEqual([403, 200]);
    const denied = orders.events.filter(({ event }) => event === 'inbound.denied');
    expect(denied).toMatchObject([
      { principal: world.domain.spiffeId('gateway'), reason: 'no-rule-matches' },
      { principal: world.domain.spiffeId('gateway'), reason: 'denied-by-rule', rule: 'default/edge rules[0]' },
    ]);
  });
});

describe('where somebody is says nothing of who it is (S9)', () => {
  test('a caller that moves to another address is the same, and one that takes its address is not', async () => {
    const { prices } = await world.pair(await telling(), { protocol: 'http' });
    const asks = async (workload: string, localAddress: string): Promise<string> => {
      const self = createIdentityStore().replace(await world.domain.identity(workload, 60_000));
      const place = { ...prices.inbound.address, localAddress, ALPNProtocols: ['http/1.1'] };
      const tls = connect({ ...place, ...clientTlsOptions(self) }).on('error', () => undefined);
      world.onEnd(() => tls.destroy());
      await once(tls, 'secureConnect');
      tls.write('GET / HTTP/1.1\r\nHost: prices\r\n\r\n');
      const [bytes] = (await once(tls, 'data')) as [Buffer];
      return bytes.toString();
    };
    for (const address of ['127.0.0.1', '127.0.0.2', '127.9.9.9']) {
      expect(await asks('cart', address)).toMatch(
        /^HTTP\/1\.1 200 [^]*URI=spiffe:\/\/test\.example\/ns\/default\/sa\/cart/,
      );
      expect(await asks('orders', address), 'from where cart was').toMatch(/^HTTP\/1\.1 403 /);
    }
  });

  test('a callee that moves is the same, and one that takes its address is not', async () => {
    const first = await world.pair(await telling(), { protocol: 'http' });
    const second = await world.pair(await telling(), { protocol: 'http' });
    const stage = new GatewayStage(world);
    const impostor = await stage.workload('orders', await telling(), 'http', ['cart']);
    for (const [endpoint, status] of [
      [first.prices.inbound.address, 200],
      [second.prices.inbound.address, 200],
      [impostor.inbound.address, 502],
    ] as const) {
      const cart = await world.calling([
        {
          ...{ workload: 'prices', port: 7002, listen: { host: '127.0.0.1', port: 0 }, protocol: 'http' },
          ...{ transport: 'tunnel', spiffeId: world.domain.spiffeId('prices'), endpoints: [endpoint] },
          ...upstreamDefaults,
        },
      ]);
      expect((await send(cart.upstream.port)).status).toBe(status);
    }
    expect(impostor.counters.inboundRequests).toBe(0);
  });
});

describe('what explicit capture promises of an app that goes its own ways (A63)', () => {
  test.each(['127.0.0.1', '127.0.0.2', '::1'])(
    'dialled past its agent at %s, a workload lets nobody in',
    async (host) => {
      let heard = 0;
      const app = await world.httpApp((_, reply) => void ((heard += 1), reply.end()));
      const { prices } = await world.pair(app, { protocol: 'http' });
      const { port } = prices.inbound.address;
      const socket = connectTcp({ host, port }, () => socket.write('GET / HTTP/1.1\r\nHost: prices\r\n\r\n'));
      let said = '';
      socket.on('data', (bytes: Buffer) => (said += bytes.toString('latin1'))).on('error', () => undefined);
      await new Promise((resolve) => socket.once('close', resolve));
      expect(said).not.toContain('HTTP/1.1');
      expect(heard, 'no byte of it reached the app').toBe(0);
      expect(prices.counters.inboundRequests).toBe(0);
    },
  );

  test('an HTTP proxy reaches nobody whom the mesh does not know, by whatever name or address', async () => {
    let heard = 0;
    const app = await world.httpApp((_, reply) => void ((heard += 1), reply.end()));
    const { port } = await world.pair(app, { protocol: 'http', capture: 'http-proxy' });
    for (const host of [
      `127.0.0.1:${app}`,
      `127.0.0.2:${app}`,
      `[::1]:${app}`,
      `localhost:${app}`,
      '169.254.169.254',
    ]) {
      const asked = `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      expect(await sendRaw(port, asked), host).toMatch(/^HTTP\/1\.1 (?:403|404|502|503) /);
      const tunnel = `CONNECT ${host.includes(':') ? host : `${host}:80`} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
      expect(await sendRaw(port, tunnel), host).toMatch(/^HTTP\/1\.1 (?:403|404|502|503) /);
    }
    expect(heard).toBe(0);
  });
});
