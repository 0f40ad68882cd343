import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clientTlsOptions } from '#agent/tls/contexts.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { startServing } from '#support/agent-pair.ts';
import { createTestDomain, type TestDomain } from '#support/identities.ts';
import { PairWorld } from '#support/pair-world.ts';

let domain: TestDomain;
let world: PairWorld;

beforeAll(async () => {
  domain = await createTestDomain();
});
beforeEach(() => {
  world = new PairWorld(domain);
});
afterEach(() => world[Symbol.dispose]());

describe('a refused stream', () => {
  test.each([
    ['a port nobody offers', 7999, 404],
    ['a TCP port that does not admit the caller', 7002, 403],
    ['a TCP port whose app is away', 7003, 503],
  ])('of %s is answered and ended, however much the caller sends on it (A54)', async (_name, port, status) => {
    const app = { host: '127.0.0.1', port: 1 };
    const common = { app, protocol: 'tcp', mtls: undefined } as const;
    const prices = await startServing(domain, 'prices', {
      ports: [
        { ...common, port: 7002, allow: [domain.spiffeId('cart')] },
        { ...common, port: 7003, allow: 'any-peer' },
      ],
    });
    world.onEnd(() => {
      prices.inbound.drain();
      prices.inbound.destroy();
    });
    const self = createIdentityStore().replace(await domain.identity('mallory', 60_000));
    const socket = connect({ ...prices.inbound.address, ...clientTlsOptions(self), ALPNProtocols: ['h2'] });
    const session = connectHttp2('https://peer', { createConnection: () => socket });
    world.onEnd(() => session.destroy());
    const stream = session.request({ ':method': 'CONNECT', ':authority': `prices:${port}` }, { endStream: false });
    stream.on('error', () => undefined).resume();
    stream.write(Buffer.alloc(4 * 1024 * 1024)); // and never ends
    const answered = await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])));
    expect(answered).toBe(status);
    await new Promise((resolve) => stream.once('close', resolve));
    expect(stream.rstCode).toBe(0);
  });
});
