import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { InboundPortConfig } from '#agent/config-types.ts';
import { createTrustBundle } from '#certs/trust-bundle.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { clientTlsOptions, handshakeDeadlineMs } from '#agent/tls/contexts.ts';
import { startServing } from '#support/agent-pair.ts';
import { dialMtls } from '#support/dial-mtls.ts';
import { createTestDomain } from '#support/identities.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

async function serving(...ports: Partial<InboundPortConfig>[]) {
  const common = {
    port: 7002,
    app: { host: '127.0.0.1', port: 1 },
    allow: 'any-peer',
    listen: undefined,
    mode: 'STRICT',
  } as const;
  const prices = await startServing(world.domain, 'prices', {
    ports: ports.map((port) => ({ ...common, protocol: 'auto' as const, ...port })),
  });
  world.onEnd(() => {
    prices.inbound.drain();
    prices.inbound.destroy();
  });
  return prices;
}

const dial = (...[address, options]: [{ host: string; port: number }, { alpn?: string[]; lifeMs?: number }?]) =>
  dialMtls(world, address, options);

/** An opaque app that tells how its one connection went. */
async function opaqueApp() {
  const heard = Promise.withResolvers<void>();
  const story = Promise.withResolvers<'ended' | 'reset'>();
  const port = await world.tcpApp((socket) => {
    socket.once('data', () => heard.resolve());
    socket.on('end', () => {
      story.resolve('ended');
      socket.end();
    });
    socket.on('close', (hadError) => story.resolve(hadError ? 'reset' : 'ended'));
  });
  return { app: { host: '127.0.0.1', port }, heard: heard.promise, story: story.promise };
}

describe.each(['tcp', 'auto'] as const)('without ALPN, to an opaque port (%s)', (protocol) => {
  test('a stream that TCP cuts without close_notify is a reset at the app, never an end (A76)', async () => {
    const { app, heard, story } = await opaqueApp();
    const prices = await serving({ protocol, app });
    const { raw, tls } = await dial(prices.inbound.address);
    tls.write('\0half a message');
    await heard;
    raw.end();
    expect(await story).toBe('reset');
  });

  test('one that TLS ends is an end at the app', async () => {
    const { app, heard, story } = await opaqueApp();
    const prices = await serving({ protocol, app });
    const { tls } = await dial(prices.inbound.address);
    tls.end('\0a message');
    await heard;
    expect(await story).toBe('ended');
  });
});

test('without ALPN the opaque port is meant, with it the HTTP port', async () => {
  const { app } = await opaqueApp();
  const web = await world.httpApp((_, reply) => reply.end('web'));
  const prices = await serving(
    { port: 7002, protocol: 'http', app: { host: '127.0.0.1', port: web } },
    { port: 7003, protocol: 'tcp', app },
  );
  const http = await dial(prices.inbound.address, { alpn: ['http/1.1'] });
  http.tls.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(String((await once(http.tls, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
  const opaque = await dial(prices.inbound.address);
  opaque.tls.write('x');
  await expect.poll(() => prices.counters.inboundOpenStreams).toBe(1);
});

test('a port’s own listener serves it alone, whatever its caller speaks', async () => {
  const web = await world.httpApp((incoming, reply) => reply.end(incoming.headers['x-forwarded-client-cert']));
  const listen = { host: '127.0.0.1', port: 0 };
  const { inbound } = await serving(
    { port: 7002, protocol: 'tcp' },
    { port: 7003, app: { host: '127.0.0.1', port: web }, listen },
  );
  for (const alpn of [[], ['http/1.1']]) {
    const { tls } = await dial(inbound.ports[0]!.address, { alpn });
    tls.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(String((await once(tls, 'data'))[0])).toContain('URI=spiffe://test.example/ns/default/sa/cart');
  }
});

test('an HTTP connection ends once the certificate of its caller has expired', async () => {
  const web = await world.httpApp((_, reply) => reply.end('web'));
  const prices = await serving({ protocol: 'http', app: { host: '127.0.0.1', port: web } });
  const { tls } = await dial(prices.inbound.address, { alpn: ['http/1.1'], lifeMs: 2_000 });
  tls.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(String((await once(tls, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
  await once(tls, 'end');
  expect(prices.counters.inboundDenied).toBe(0);
});

describe('whoever proves nothing', () => {
  test.each([
    ['hangs up at once', '', 'ECONNRESET'],
    ['speaks HTTP in clear', 'GET / HTTP/1.1\r\n\r\n', 'ERR_SSL_HTTP_REQUEST'],
  ])('and %s is counted and logged', async (_name, bytes, reason) => {
    const prices = await serving({});
    const socket = connectTcp(prices.inbound.address, () => (bytes ? socket.write(bytes) : socket.destroy()));
    socket.on('error', () => undefined).resume();
    await once(socket, 'close');
    await expect.poll(() => prices.events).toContainEqual(expect.objectContaining({ reason }));
    expect(prices.counters.handshakesRefused).toBe(1);
  });

  test.each([
    ['one of an unknown root', []],
    ['one whose root is trusted beside ours (A44)', ['other.example']],
  ])('shows another domain’s certificate, %s, without ALPN or with', async (_which, trusted) => {
    const other = await createTestDomain('other.example');
    const prices = await serving({});
    const roots = [world.domain.bundle, ...trusted.map(() => other.bundle)].flatMap((each) => each.roots);
    const known = createTrustBundle({ ...world.domain.bundle, roots });
    if (!known.ok) throw new Error(known.reason);
    prices.store.replace({ ...(await world.domain.identity('prices', 60_000)), bundle: known.value });
    for (const [index, alpn] of [[], ['h2']].entries()) {
      const self = createIdentityStore().replace(await other.identity('cart', 60_000));
      const { bundle } = await world.domain.identity('cart', 60_000);
      const socket = connect({
        ...prices.inbound.address,
        ...clientTlsOptions({ ...self, bundle }),
        ALPNProtocols: alpn,
      });
      socket.on('error', () => undefined).resume();
      await once(socket, 'close');
      expect(prices.counters.handshakesRefused).toBe(index + 1);
    }
    expect(prices.counters.inboundRequests).toBe(0);
    const refused = prices.events.filter(({ event }) => event === 'inbound.handshake-refused');
    const reasons = refused.map((each) => ('reason' in each ? each.reason : undefined));
    if (trusted.length > 0) expect(reasons).toEqual(['other-trust-domain', 'other-trust-domain']);
  });

  test.each([
    ['nothing', ''],
    ['half a ClientHello', '1603010200010001fc0303'],
  ])(
    'is cut off when it says %s for too long (A54)',
    async (_name, hex) => {
      const prices = await serving({});
      const socket = connectTcp(prices.inbound.address, () => socket.write(Buffer.from(hex, 'hex')));
      socket.on('error', () => undefined).resume();
      await once(socket, 'close');
      const reason = 'ERR_TLS_HANDSHAKE_TIMEOUT';
      await expect.poll(() => prices.events).toContainEqual(expect.objectContaining({ reason }));
    },
    handshakeDeadlineMs + 5_000,
  );
});
