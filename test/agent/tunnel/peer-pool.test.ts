import { beforeAll, describe, expect, test } from 'vitest';
import { ask, begin } from '#support/ask.ts';
import { createTestDomain, type TestDomain } from '#support/identities.ts';
import { TunnelStage } from '#support/tunnel-stage.ts';

let domain: TestDomain;

beforeAll(async () => {
  domain = await createTestDomain();
});

describe('requests to a peer', () => {
  test('are answered by its app, all over one session', async () => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices');
    const { pool } = await stage.call('cart');
    const peer = stage.peer('prices', [prices.address]);
    const replies = await Promise.all(Array.from({ length: 20 }, () => ask(pool.upstream(peer, 'http'))));
    expect(new Set(replies.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(['200 prices']));
    expect(await ask(pool.upstream(peer, 'http'), '/next', Buffer.from('hello'))).toMatchObject({ status: 200 });
    expect([prices.accepted, pool.sessions]).toEqual([1, 1]);
  });

  test('go out in the same turn where a stream is kept', async () => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices');
    const { pool } = await stage.call('cart');
    const upstream = pool.upstream(stage.peer('prices', [prices.address]), 'http');
    await ask(upstream);
    const asking = begin(upstream);
    expect(asking.sink.constructor.name).toBe('KeptClient');
    expect((await asking.done).status).toBe(200);
  });
});
