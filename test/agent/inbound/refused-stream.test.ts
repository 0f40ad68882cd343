import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { clientTlsOptions } from '#agent/tls/contexts.ts';
import { createIdentityStore } from '#agent/identity/store.ts';
import { startServing } from '#support/agent-pair.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

async function connectAsMallory() {
  const app = { host: '127.0.0.1', port: 1 };
  const common = { app, protocol: 'tcp', listen: undefined, mode: 'STRICT' } as const;
  const prices = await startServing(world.domain, 'prices', {
    ports: [
      { ...common, port: 7002, allow: [world.domain.spiffeId('cart')] },
      { ...common, port: 7003, allow: 'any-peer' },
    ],
  });
  world.onEnd(() => {
    prices.inbound.drain();
    prices.inbound.destroy();
  });
  const self = createIdentityStore().replace(await world.domain.identity('mallory', 60_000));
  const socket = connect({ ...prices.inbound.address, ...clientTlsOptions(self), ALPNProtocols: ['h2'] });
  const session = connectHttp2('https://peer', { createConnection: () => socket });
  world.onEnd(() => session.destroy());
  return { prices, session };
}

describe('a refused stream', () => {
  test.each([
    ['a port nobody offers', 7999, 404],
    ['a TCP port that does not admit the caller', 7002, 403],
    ['a TCP port whose app is away', 7003, 503],
  ])('of %s is answered and ended, however much the caller sends on it (A54)', async (_name, port, status) => {
    const { session } = await connectAsMallory();
    const stream = session.request({ ':method': 'CONNECT', ':authority': `prices:${port}` }, { endStream: false });
    stream.on('error', () => undefined).resume();
    stream.write(Buffer.alloc(4 * 1024 * 1024)); // and never ends
    const answered = await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])));
    expect(answered).toBe(status);
    await new Promise((resolve) => stream.once('close', resolve));
    expect(stream.rstCode).toBe(0);
  });

  test.each([
    { name: 'a port nobody offers', port: 7999, event: 'inbound.refused', reason: 'no-such-port' },
    { name: 'a stream that ends as it begins', port: 7003, event: 'inbound.refused', reason: 'bad-target' },
    { name: 'a port that does not admit the caller', port: 7002, event: 'inbound.denied', reason: 'no-rule-matches' },
    { name: 'a port whose app is away', port: 7003, event: 'inbound.failed', reason: 'app-unreachable' },
  ])('($name) is counted, logged, and names the decision to the caller', async ({ port, event, reason }) => {
    const counted = reason === 'bad-target' ? 'bad-request' : reason;
    const how = { endStream: reason === 'bad-target' };
    const { prices, session } = await connectAsMallory();
    const stream = session.request({ ':method': 'CONNECT', ':authority': `prices:${port}` }, how);
    stream.on('error', () => undefined).resume();
    const head = await new Promise<IncomingHttpHeaders>((resolve) => stream.once('response', resolve));
    const principal = world.domain.spiffeId('mallory');
    const decisionId = head['x-eastwest-decision'];
    expect(decisionId).toMatch(/^[\w-]{12}$/);
    expect(prices.events).toEqual([{ event, principal, port, reason, decisionId }]);
    expect(prices.lines).toEqual([expect.objectContaining({ direction: 'inbound', peer: principal, decisionId })]);
    const { inboundRequests, inboundDenied, inboundFailed } = prices.counters;
    expect([inboundRequests, inboundDenied + inboundFailed]).toEqual([1, 1]);
    expect([...prices.counters.inbound.failures.get(counted)!.entries()]).toEqual([[principal, 1]]);
  });
});
