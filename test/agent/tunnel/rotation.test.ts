import { beforeAll, describe, expect, test } from 'vitest';
import { ask } from '#support/ask.ts';
import { createTestDomain, type TestDomain } from '#support/identities.ts';
import { opaqueCaller } from '#support/opaque-caller.ts';
import { until } from '#support/until.ts';
import { TunnelStage } from '#support/tunnel-stage.ts';
import type { StageReply } from '#support/stage-app.ts';

const minuteMs = 60_000;
let domain: TestDomain;

beforeAll(async () => {
  domain = await createTestDomain();
});

describe('when our identity is replaced', () => {
  test('a new session is made ahead of need, the old one ends, and no request fails (M2)', async () => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices', { app: { seen: [] } });
    const cart = await stage.call('cart');
    const upstream = cart.pool.upstream(stage.peer('prices', [prices.address]), 'http');
    await Promise.all([ask(upstream), ask(upstream), ask(upstream)]);
    await cart.rotate();
    await until(() => cart.pool.sessions === 2);
    await stage.clock.advance(1_000);
    await until(() => cart.events.length === 3);
    expect((await ask(upstream)).status).toBe(200);
    expect(prices.app.seen?.at(-1)?.serialHex).toBe(cart.identity.current()?.svid.serialHex);
    expect(cart.events.map(({ event }) => event)).toEqual(['opened', 'opened', 'closed']);
  });

  test('a request in flight finishes on the session it began on', async () => {
    using stage = new TunnelStage(domain);
    const replies: StageReply[] = [];
    const prices = await stage.serve('prices', { app: { http: (_path, reply) => void replies.push(reply) } });
    const cart = await stage.call('cart');
    const upstream = cart.pool.upstream(stage.peer('prices', [prices.address]), 'http');
    const asking = ask(upstream);
    await until(() => replies.length === 1);
    await cart.rotate();
    await until(() => cart.pool.sessions === 2);
    replies[0]?.send('late');
    expect(await asking).toMatchObject({ status: 200, body: 'late' });
    await stage.clock.advance(1_000);
    await until(() => cart.pool.sessions === 1);
  });

  test('a session that nobody used is not renewed', async () => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices');
    const cart = await stage.call('cart', { limits: { keepMs: 10_000 } });
    const upstream = cart.pool.upstream(stage.peer('prices', [prices.address]), 'http');
    await ask(upstream);
    for (let turn = 0; turn < 4; turn += 1) await stage.clock.advance(10_000);
    await cart.rotate();
    await until(() => cart.pool.sessions === 0);
    expect(prices.accepted).toBe(1);
    expect((await ask(upstream)).status).toBe(200);
  });

  test('what cannot be renewed serves on: the last good stays', async () => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices');
    const cart = await stage.call('cart');
    const upstream = cart.pool.upstream(stage.peer('prices', [prices.address]), 'http');
    await ask(upstream);
    prices.close();
    await cart.rotate();
    await until(() => cart.events.some(({ event }) => event === 'failed'));
    expect((await ask(upstream)).status).toBe(200);
    const failures = cart.events.length;
    await stage.clock.advance(3_000);
    await until(() => cart.events.length > failures); // though nobody needs another stream
    expect((await ask(upstream)).status).toBe(200);
  });
});

describe('certificates that both ends prove anew on a session', () => {
  test('keep it for as long as its streams live (A46)', async () => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices');
    const cart = await stage.call('cart');
    const stream = await opaqueCaller(cart.pool.open(stage.peer('prices', [prices.address], { port: 7003 })));
    for (let turn = 0; turn < 4; turn += 1) {
      await Promise.all([cart.rotate(), prices.rotate()]);
      for (let step = 0; step < 10; step += 1) await stage.clock.advance(minuteMs / 2);
      await stream.echo('still here');
    }
    expect(stage.clock.now() - Date.now()).toBeGreaterThan(15 * minuteMs); // twice as old as its first certificates
    expect(cart.unproved).toEqual([]);
  });

  test('are the certificates that the app is told of from then on', async () => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices', { app: { seen: [] } });
    const cart = await stage.call('cart');
    const peer = stage.peer('prices', [prices.address]);
    const kept = await opaqueCaller(cart.pool.open(stage.peer('prices', [prices.address], { port: 7003 })));
    await ask(cart.pool.upstream(peer, 'http'));
    prices.close(); // so that no new session can show the new certificate
    await cart.rotate();
    await until(() => cart.events.some(({ event }) => event === 'failed'));
    await kept.echo('proved');
    await ask(cart.pool.upstream(peer, 'http'));
    expect(prices.app.seen?.at(-1)?.serialHex).toBe(cart.identity.current()?.svid.serialHex);
  });

  test('end it when the peer stays silent until its last one expires', async () => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices');
    const cart = await stage.call('cart', { lifeMs: 60 * minuteMs });
    const stream = await opaqueCaller(cart.pool.open(stage.peer('prices', [prices.address], { port: 7003 })));
    for (let step = 0; step < 21; step += 1) await stage.clock.advance(minuteMs / 2);
    await stream.got.told('cut');
    expect(new Set(cart.unproved)).toEqual(new Set(['silent'])); // and a younger session's with the same certificate
  });

  test.each(['keep', 'end'] as const)('without them, whenExpired: %s decides', async (whenExpired) => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices', { whenExpired });
    const cart = await stage.call('cart', { whenExpired });
    const stream = await opaqueCaller(cart.pool.open(stage.peer('prices', [prices.address], { port: 7003 })));
    for (let step = 0; step < 21; step += 1) await stage.clock.advance(minuteMs / 2);
    if (whenExpired === 'end') await stream.got.told('cut');
    else await stream.echo('kept');
    expect(stream.pipe.isOpen).toBe(whenExpired === 'keep');
  });
});
