import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { gone, policy } from '#support/pushed-policies.ts';
import { usePairWorld } from '#support/use-pair-world.ts';

const world = await usePairWorld();

/** Longer than an agent waits for the first byte, both agents one after the other. */
const silence = () => new Promise((resolve) => setTimeout(resolve, 300));

test('an HTTP caller of an auto port that is silent first is judged by its request', async () => {
  const app = await world.httpApp((_, reply) => reply.end());
  const { port, prices } = await world.pair(app, { allow: [], protocol: 'auto' });
  prices.push(policy("{ rules: [{ to: [{ operation: { paths: ['/prices/{id}'] } }] }] }"));
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  world.onEnd(() => socket.destroy());
  await silence();
  socket.write('GET /prices/7 HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200/);
  expect(prices.events.map(({ event }) => event)).not.toContain('inbound.denied');
  expect(prices.counters).toMatchObject({ inboundDenied: 0, inboundRequests: 1 });

  // Nor is it counted twice where opaque bytes are allowed, and the app was opened for them.
  const audited = policy('{ action: AUDIT, rules: [{ to: [{ operation: { ports: [7002] } }] }] }', 'watch');
  prices.push(`${policy('{ allow: all }', 'all')}${audited}`);
  const next = connect(port, '127.0.0.1').on('error', () => undefined);
  world.onEnd(() => next.destroy());
  await silence();
  next.write('GET /prices/7 HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(String((await once(next, 'data'))[0])).toMatch(/^HTTP\/1\.1 200/);
  expect(prices.counters).toMatchObject({ inboundDenied: 0, inboundRequests: 2 });
  expect(prices.events.filter(({ event }) => event === 'inbound.audited')).toHaveLength(1);
});

test('a silent caller of an auto port that is no HTTP is refused once, when it says so', async () => {
  const app = await world.tcpApp(() => undefined);
  const { port, prices } = await world.pair(app, { allow: [], protocol: 'auto' });
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  await silence();
  expect(prices.events.map(({ event }) => event)).not.toContain('inbound.denied');
  socket.write('\0');
  await gone(socket);
  expect(prices.events.filter(({ event }) => event === 'inbound.denied')).toHaveLength(1);
  expect(prices.counters).toMatchObject({ inboundDenied: 1, inboundRequests: 1 });
});
