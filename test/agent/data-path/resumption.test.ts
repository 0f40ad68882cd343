import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { createIdentityStore, type Identity } from '#agent/identity/store.ts';
import { clientTlsOptions } from '#agent/tls/contexts.ts';
import type { ServingAgent } from '#support/agent-pair.ts';
import { GatewayStage, sendHttps, type GatewayAgent } from '#support/gateway-stage.ts';
import { ask } from '#support/h2-apps.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

type Alpn = 'h2' | 'http/1.1' | 'none';

interface Client {
  readonly tls: TLSSocket;
  /** What resumes this TLS session, if the other end plays along. */
  readonly session: Promise<Buffer>;
}

/** A program without an agent. `session`: a ticket that it kept. */
async function dial(agent: ServingAgent, alpn: Alpn, self: Identity, session?: Buffer): Promise<Client> {
  const tls = connect({
    ...agent.inbound.address,
    ...clientTlsOptions(createIdentityStore().replace(self)),
    ...(alpn !== 'none' && { ALPNProtocols: [alpn] }),
    session,
  });
  tls.on('error', () => undefined);
  world.onEnd(() => tls.destroy());
  const kept = new Promise<Buffer>((resolve) => tls.once('session', resolve));
  await once(tls, 'secureConnect');
  return { tls, session: kept };
}

/** `200`, `403`, the echo of an opaque port, or `cut`. */
async function asks({ tls }: Client, alpn: Alpn): Promise<string> {
  if (alpn === 'h2') {
    const session = connectHttp2('https://prices', { createConnection: () => tls }).on('error', () => undefined);
    const { status } = await ask(session, { ':path': '/' });
    return String(status);
  }
  const answer = new Promise<string>((resolve) => {
    tls.once('data', (bytes: Buffer) => resolve(bytes.toString()));
    tls.once('close', () => resolve('cut'));
  });
  tls.write(alpn === 'none' ? '\0echo' : 'GET / HTTP/1.1\r\nHost: prices\r\n\r\n');
  const said = await answer;
  return /^HTTP\/1\.1 (\d+)/.exec(said)?.[1] ?? said;
}

async function serving(alpn: Alpn): Promise<ServingAgent> {
  const port =
    alpn === 'none'
      ? await world.tcpApp((socket) => void socket.pipe(socket))
      : await world.httpApp((_, reply) => reply.end());
  const { prices } = await world.pair(port, { protocol: alpn === 'none' ? 'tcp' : 'http' });
  return prices;
}

const denied = (entry: string): string => `apiVersion: eastwest.dev/v1
kind: DenyList
metadata: { name: lost, namespace: default }
spec: { entries: [{ ${entry}, reason: stolen }] }
`;
const noMore = `apiVersion: eastwest.dev/v1
kind: AuthorizationPolicy
metadata: { name: shut, namespace: default }
spec: { action: DENY, rules: [{ from: [{ source: { principals: ['test.example/ns/default/sa/cart'] } }] }] }
`;

describe.each<[Alpn, string, string]>([
  ['h2', '200', '403'],
  ['http/1.1', '200', '403'],
  ['none', '\0echo', 'cut'],
])('a ticket from before, ALPN %s (A45)', (alpn, admitted, refused) => {
  test.each([
    ['its permission is lost', () => noMore],
    ['a deny list names it', () => denied('spiffeId: spiffe://test.example/ns/default/sa/cart')],
    ['a deny list names its certificate', ({ svid }: Identity) => denied(`serial: '${svid.serialHex}'`)],
    ['a deny list names its key', ({ svid }: Identity) => denied(`keyThumbprint: '${svid.keyThumbprint}'`)],
  ])('gets nobody in once %s', async (_what, documents) => {
    const prices = await serving(alpn);
    const self = await world.domain.identity('cart', 60_000);
    const first = await dial(prices, alpn, self);
    expect(await asks(first, alpn)).toBe(admitted);
    const ticket = await first.session;
    expect(ticket.length, 'there is something to try with').toBeGreaterThan(0);

    prices.push(documents(self));
    const again = await dial(prices, alpn, self, ticket);
    expect(again.tls.isSessionReused()).toBe(false);
    expect(await asks(again, alpn)).toBe(refused);
    prices.push('');
    expect(await asks(await dial(prices, alpn, self, ticket), alpn), 'the same attempt succeeds').toBe(admitted);
  });

  test('carries nobody’s identity: who calls is who shows a certificate now', async () => {
    const prices = await serving(alpn);
    const first = await dial(prices, alpn, await world.domain.identity('cart', 60_000));
    expect(await asks(first, alpn)).toBe(admitted);
    const stranger = await dial(prices, alpn, await world.domain.identity('orders', 60_000), await first.session);
    expect(await asks(stranger, alpn)).toBe(refused);
    const last = prices.events.findLast(({ event }) => event === 'inbound.denied');
    expect(last).toMatchObject({ principal: 'spiffe://test.example/ns/default/sa/orders' });
  });
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'at a gateway a ticket of %s shortens the handshake of somebody without an identity, and lends no permission (A45)',
  async (version) => {
    const stage = new GatewayStage(world);
    const orders = await stage.workload('orders', await world.httpApp((_, reply) => reply.end()));
    const gateway = await stage.gateway(['shop.example/ → orders']);
    const first = outsider(gateway, version);
    expect(await statusOf(first)).toBe('200');
    const ticket = first.getSession();
    orders.push(noMore.replace('sa/cart', 'sa/gateway'));
    const again = outsider(gateway, version, ticket);
    expect(await statusOf(again)).toBe('403');
    expect(again.isSessionReused(), 'or this shows nothing').toBe(true);
    expect(await statusOf(first), 'on the connection that was open, too').toBe('403');
    expect((await sendHttps(gateway, 'https://shop.example/')).status).toBe(403);
  },
);

function outsider({ httpsPort, ca }: GatewayAgent, version: 'TLSv1.2' | 'TLSv1.3', session?: Buffer): TLSSocket {
  const tls = connect({
    ...{ host: '127.0.0.1', port: httpsPort, servername: 'shop.example', ca: ca.bundlePem },
    ...{ minVersion: version, maxVersion: version, session },
  });
  tls.on('error', () => undefined);
  world.onEnd(() => tls.destroy());
  return tls;
}

async function statusOf(tls: TLSSocket): Promise<string> {
  tls.write('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n');
  const [bytes] = (await once(tls, 'data')) as [Buffer];
  return /^HTTP\/1\.1 (\d+)/.exec(bytes.toString())?.[1] ?? '';
}
