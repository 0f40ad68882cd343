import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Address } from '#agent/config-types.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { serverTlsOptions } from '#agent/tls/contexts.ts';
import { ask, begin } from '#support/ask.ts';
import { createTestDomain, type TestDomain } from '#support/identities.ts';
import { opaqueCaller } from '#support/opaque-caller.ts';
import { TunnelStage } from '#support/tunnel-stage.ts';
import { until } from '#support/until.ts';

const minuteMs = 60_000;
let domain: TestDomain;
const cleanups: (() => void)[] = [];

beforeAll(async () => {
  domain = await createTestDomain();
});
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

interface Foreign {
  readonly address: Address;
  /** TLS connections that are open. */
  readonly open: Set<TLSSocket>;
  readonly accepted: number;
  /** Ends the TCP connections below TLS, without its knowledge. */
  breakWires(): void;
}

/** A server of another make, on a certificate of our trust domain. */
async function listen(server: Server): Promise<Foreign> {
  const open = new Set<TLSSocket>();
  const raw = new Set<Socket>();
  let accepted = 0;
  server.on('connection', (socket: Socket) => raw.add(socket));
  server.on('secureConnection', (socket) => {
    accepted += 1;
    open.add(socket);
    socket.once('close', () => open.delete(socket)).on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const breakWires = (): void => raw.forEach((socket) => socket.destroy());
  cleanups.push(() => {
    server.close();
    breakWires();
  });
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    open,
    get accepted() {
      return accepted;
    },
    breakWires,
  };
}

async function tlsOptions(lifeMs = 60 * minuteMs) {
  return serverTlsOptions(createIdentityStore().replace(await domain.identity('prices', lifeMs)));
}

describe('a foreign server of HTTP/1.1', () => {
  test('is asked over connections that are kept, and sees our certificate', async () => {
    using stage = new TunnelStage(domain);
    const foreign = await listen(
      createHttpsServer(await tlsOptions(), (request, reply) =>
        reply.end((request.socket as TLSSocket).getPeerCertificate().subjectaltname),
      ),
    );
    const { pool } = await stage.call('cart');
    const upstream = pool.upstream(stage.peer('prices', [foreign.address], { transport: 'mtls' }), 'http');
    for (let turn = 0; turn < 5; turn += 1) {
      expect((await ask(upstream)).body).toBe(`URI:${domain.spiffeId('cart')}`);
    }
    expect(foreign.accepted).toBe(1);
  });

  test('is not asked on a connection that it may just be closing', async () => {
    using stage = new TunnelStage(domain);
    const foreign = await listen(createHttpsServer(await tlsOptions(), (_request, reply) => void reply.end('ok')));
    const { pool } = await stage.call('cart');
    const upstream = pool.upstream(stage.peer('prices', [foreign.address], { transport: 'mtls' }), 'http');
    await ask(upstream);
    await stage.clock.advance(5_000);
    await until(() => foreign.open.size === 0);
    expect([(await ask(upstream)).status, foreign.accepted]).toEqual([200, 2]);
  });

  test('is left in good time: no request goes out on a connection whose certificates are about to expire', async () => {
    using stage = new TunnelStage(domain);
    const foreign = await listen(createHttpsServer(await tlsOptions(), (_request, reply) => void reply.end('ok')));
    const cart = await stage.call('cart');
    const upstream = cart.pool.upstream(stage.peer('prices', [foreign.address], { transport: 'mtls' }), 'http');
    await ask(upstream);
    await cart.rotate();
    await until(() => foreign.open.size === 0);
    await ask(upstream);
    for (let step = 0; step < 16; step += 1) await stage.clock.advance(minuteMs / 2);
    await until(() => foreign.open.size === 0);
    expect((await ask(upstream)).status).toBe(200);
    expect(foreign.accepted).toBe(3);
  });

  test('an answer until close whose connection is cut is a broken one (A76)', async () => {
    using stage = new TunnelStage(domain);
    const foreign = await listen(
      createHttpsServer(await tlsOptions(), (request) => {
        request.socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf of it');
      }),
    );
    const { pool } = await stage.call('cart');
    const upstream = pool.upstream(stage.peer('prices', [foreign.address], { transport: 'mtls' }), 'http');
    const asking = begin(upstream);
    asking.sink.end([]);
    await until(() => asking.body() === 'half of it');
    foreign.breakWires();
    expect(await asking.done).toMatchObject({ failed: 'upstream-broken' });
  });

  test.each(['orders', 'cart'])('whose certificate is of %s is not spoken to (A47)', async (workload) => {
    using stage = new TunnelStage(domain);
    const options = serverTlsOptions(createIdentityStore().replace(await domain.identity(workload, minuteMs * 60)));
    let asked = 0;
    const foreign = await listen(createHttpsServer(options, () => void (asked += 1)));
    const { pool } = await stage.call('cart');
    const upstream = pool.upstream(stage.peer('prices', [foreign.address], { transport: 'mtls' }), 'http');
    expect(await ask(upstream)).toMatchObject({ failed: { unreachable: 'wrong-peer' } });
    expect(asked).toBe(0);
  });
});

describe('a foreign server of HTTP/2', () => {
  test('is asked on as many connections as its own ceiling makes necessary', async () => {
    using stage = new TunnelStage(domain);
    const replies: (() => void)[] = [];
    const foreign = await listen(
      createSecureServer({ ...(await tlsOptions()), settings: { maxConcurrentStreams: 10 } }, (_request, reply) => {
        replies.push(() => reply.end('ok'));
      }),
    );
    const { pool } = await stage.call('cart');
    const upstream = pool.upstream(stage.peer('prices', [foreign.address], { transport: 'mtls' }), 'http2');
    const asked = Array.from({ length: 25 }, () => ask(upstream));
    await until(() => replies.length === 25);
    expect(foreign.accepted).toBe(3);
    for (const reply of replies) reply();
    for (const { status, body } of await Promise.all(asked)) expect([status, body]).toEqual([200, 'ok']);
  });

  test('that does not speak it after all is no peer', async () => {
    using stage = new TunnelStage(domain);
    const foreign = await listen(createHttpsServer(await tlsOptions(), (_request, reply) => void reply.end('ok')));
    const { pool } = await stage.call('cart');
    const upstream = pool.upstream(stage.peer('prices', [foreign.address], { transport: 'mtls' }), 'http2');
    expect(await ask(upstream)).toMatchObject({ failed: { unreachable: 'handshake-failed' } });
  });
});

test('an opaque stream to a foreign server is a TLS connection of its own', async () => {
  using stage = new TunnelStage(domain);
  const foreign = await stage.serve('prices', {
    app: {
      foreign(pipe) {
        const nothing = (): void => undefined;
        pipe.reader = {
          onBytes: (bytes) => void pipe.write(bytes),
          onEnd: () => pipe.end(),
          onCut: nothing,
          onDrain: nothing,
        };
        pipe.resume();
      },
    },
  });
  const { pool } = await stage.call('cart');
  const peer = stage.peer('prices', [foreign.address], { transport: 'mtls', port: 7003 });
  const streams = await Promise.all([opaqueCaller(pool.open(peer)), opaqueCaller(pool.open(peer))]);
  for (const stream of streams) await stream.echo('hello');
  expect(foreign.accepted).toBe(2);
  streams[0]?.pipe.end();
  await streams[0]?.got.told('end');
  streams[1]?.pipe.cut();
  await until(() => pool.sessions === 0);
});
