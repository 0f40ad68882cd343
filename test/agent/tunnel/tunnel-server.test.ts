import { beforeAll, describe, expect, test } from 'vitest';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { ask } from '#support/ask.ts';
import { createTestDomain, type TestDomain } from '#support/identities.ts';
import { opaqueCaller } from '#support/opaque-caller.ts';
import type { StageReply } from '#support/stage-app.ts';
import { TunnelStage } from '#support/tunnel-stage.ts';
import { turns } from '#support/turns.ts';
import { until } from '#support/until.ts';

const minuteMs = 60_000;
let domain: TestDomain;

beforeAll(async () => {
  domain = await createTestDomain();
});

describe('a stream that is refused', () => {
  test.each([
    ['to a port nobody offers', 7999, undefined, 'no-such-port'],
    ['that no rule admits', 7003, 403, 'refused-by-peer'],
    ['to an app that is away', 7003, 503, 'app-unreachable'],
    ['whose certificate has expired', 7003, 401, 'own-svid-expired'],
  ] as const)('%s says why', async (_name, port, opaque, expected) => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices', { app: opaque === undefined ? {} : { opaque } });
    const { pool } = await stage.call('cart');
    const peer = stage.peer('prices', [prices.address], { port });
    expect(await pool.open(peer)).toEqual({ ok: false, reason: expected });
    expect((await ask(pool.upstream(stage.peer('prices', [prices.address]), 'http'))).status).toBe(200);
  });

  test('is not even asked for once our own certificate has expired, though what is open lives on', async () => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices', { whenExpired: 'keep', lifeMs: 60 * minuteMs });
    const cart = await stage.call('cart', { whenExpired: 'keep', lifeMs: 2 * minuteMs });
    const kept = await opaqueCaller(cart.pool.open(stage.peer('prices', [prices.address], { port: 7003 })));
    for (let step = 0; step < 5; step += 1) await stage.clock.advance(minuteMs / 2);
    await kept.echo('kept');
    expect(await cart.pool.open(stage.peer('prices', [prices.address], { port: 7003 }))).toEqual({
      ok: false,
      reason: 'own-svid-expired',
    });
  });
});

test('HTTP/2 requests and HTTP/1.1 streams share one session', async () => {
  using stage = new TunnelStage(domain);
  const prices = await stage.serve('prices');
  const { pool } = await stage.call('cart');
  const peer = stage.peer('prices', [prices.address]);
  const replies = await Promise.all([
    ask(pool.upstream(peer, 'http2')),
    ask(pool.upstream(peer, 'http')),
    ask(pool.upstream(peer, 'http2'), '/post', Buffer.from('body')),
  ]);
  for (const { status, body } of replies) expect([status, body]).toEqual([200, 'prices']);
  expect(prices.accepted).toBe(1);
});

test('one slow reader holds up nobody else (A54)', async () => {
  using stage = new TunnelStage(domain);
  let sent = 0;
  const flood = (pipe: Pipe): void => {
    const chunk = Buffer.alloc(65_536, 'x');
    const fill = (): void => {
      do sent += chunk.length;
      while (pipe.write(chunk));
    };
    const nothing = (): void => undefined;
    pipe.reader = { onBytes: nothing, onEnd: nothing, onCut: nothing, onDrain: fill };
    pipe.resume();
    fill();
  };
  let isFirst = true;
  const prices = await stage.serve('prices', {
    app: {
      opaque(pipe) {
        if (isFirst) flood(pipe);
        else pipe.reader = { ...pipe.reader, onBytes: (bytes) => void pipe.write(bytes) };
        isFirst = false;
        pipe.resume();
      },
    },
  });
  const { pool } = await stage.call('cart');
  const peer = stage.peer('prices', [prices.address], { port: 7003 });
  const slow = await opaqueCaller(pool.open(peer));
  await until(() => sent > 200_000);
  slow.pipe.pause();
  let before = -1;
  while (before !== sent) {
    before = sent;
    await turns(50);
  }
  const quick = await opaqueCaller(pool.open(peer));
  for (let turn = 0; turn < 20; turn += 1) await quick.echo(`message ${turn}`);
  expect(prices.accepted).toBe(1);
  expect(sent - slow.got.bytes.length).toBeLessThan(3 * 1024 * 1024); // a window and what the wire holds
  slow.pipe.resume();
  await slow.got.got(sent + 1_000_000);
});

describe('an agent that stops', () => {
  test('lets requests in flight finish, and gets no new one', async () => {
    using stage = new TunnelStage(domain);
    const held: StageReply[] = [];
    const [leaving, staying] = [
      await stage.serve('prices', { app: { http: (_path, reply) => void held.push(reply) } }),
      await stage.serve('prices'),
    ];
    const { pool } = await stage.call('cart');
    const asked = ask(pool.upstream(stage.peer('prices', [leaving.address]), 'http'));
    await until(() => held.length === 1);
    const upstream = pool.upstream(stage.peer('prices', [leaving.address, staying.address]), 'http');
    leaving.close();
    leaving.sessions[0]?.drain();
    await turns(20);
    for (let turn = 0; turn < 10; turn += 1) expect((await ask(upstream)).body).toBe('prices');
    expect(held.length).toBe(1);
    held[0]?.send('finished');
    expect((await asked).body).toBe('finished');
    await stage.clock.advance(1_000);
    await until(() => leaving.sockets.length === 0);
  });

  test('ends the idle streams of a peer that does not', async () => {
    using stage = new TunnelStage(domain);
    const prices = await stage.serve('prices');
    const { pool } = await stage.call('cart');
    const upstream = pool.upstream(stage.peer('prices', [prices.address]), 'http');
    await ask(upstream);
    prices.sessions[0]?.drain();
    await stage.clock.advance(2_000);
    await until(() => prices.sockets.length === 0);
    expect((await ask(upstream)).status).toBe(200);
  });
});
