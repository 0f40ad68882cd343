import { describe, expect, test } from 'vitest';
import { h2Error } from '#agent/h2/errors.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { connectHead, getHead, okHead, postHead, startH2Pair } from '#support/h2-raw.ts';

const plenty = Buffer.alloc(300_000, 'x');

describe('a reset', () => {
  test('by either side reaches the other, never as an end', async () => {
    const pair = await startH2Pair();
    const first = pair.ask(connectHead);
    const second = pair.ask(connectHead);
    await pair.settle();
    first.stream?.text('half');
    first.stream?.reset(h2Error.cancel);
    pair.server.streams[1]?.stream?.reset(h2Error.internal);
    await pair.settle();
    expect(pair.server.streams[0]?.lines.slice(1)).toEqual(['data', 'reset CANCEL']);
    expect(second.lines).toEqual(['reset INTERNAL_ERROR']);
    expect(first.lines).toEqual([]);
    expect([pair.client.session.openStreams, pair.server.session.openStreams]).toEqual([0, 0]);
  });

  test('forgets what was queued; a stream that is over takes nothing more', async () => {
    const pair = await startH2Pair({ settings: { windowBytes: 1_000 } });
    const asked = pair.ask(connectHead);
    asked.stream?.data(plenty);
    asked.stream?.reset(h2Error.cancel);
    expect(asked.stream?.unsentBytes).toBe(0);
    expect(asked.stream?.data(plenty)).toBe(true);
    expect(asked.stream?.data(Buffer.from('fits'))).toBe(true);
    expect(asked.stream?.text('fits')).toBe(true);
    asked.stream?.headers(okHead, true);
    asked.stream?.end();
    asked.stream?.reset(h2Error.internal);
    await pair.settle();
    expect(pair.server.streams[0]?.lines.at(-1)).toBe('reset CANCEL');
    expect([pair.client.lines, pair.server.lines]).toEqual([['ready'], ['ready']]);
  });

  test('without an error follows an answer that still waits, so that the answer arrives whole', async () => {
    const pair = await startH2Pair({ settings: { windowBytes: 10_000 } });
    const asked = pair.ask(postHead);
    await pair.settle();
    const served = pair.server.streams[0]?.stream;
    served?.headers(okHead, false);
    served?.data(plenty);
    served?.end();
    served?.reset(h2Error.none);
    for (let round = 0; round < 70; round += 1) await pair.settle();
    expect(asked.bytes.length).toBe(plenty.length);
    expect(asked.lines.slice(-2)).toEqual(['end', 'reset NO_ERROR']);
  });

  test('crosses with DATA that is on its way: it is ignored, and its bytes do not eat up the session', async () => {
    const pair = await startH2Pair({ settings: { windowBytes: 60_000, sessionWindowBytes: 65_535 } });
    for (let round = 0; round < 10; round += 1) {
      const asked = pair.ask(connectHead);
      await pair.settle();
      asked.stream?.data(plenty);
      pair.server.streams.at(-1)?.stream?.reset(h2Error.cancel);
      await pair.settle();
      expect(asked.lines).toEqual(['reset CANCEL']);
    }
    const last = pair.ask(connectHead);
    last.stream?.text('still here');
    await pair.settle();
    expect(pair.server.streams.at(-1)?.bytes.toString()).toBe('still here');
  });
});

describe('a session that drains', () => {
  test('on the server takes what crosses with the news, then nothing, and closes after the last stream', async () => {
    const pair = await startH2Pair();
    const before = pair.ask(connectHead);
    await pair.settle();
    pair.server.session.drain();
    const crossing = pair.ask(connectHead);
    await pair.settle();
    expect(pair.client.lines).toEqual(['ready', 'goaway']);
    expect(pair.client.session.takesStreams).toBe(false);
    expect(pair.client.session.request(connectHead, false, before)).toBeUndefined();
    expect(pair.server.streams).toHaveLength(2);
    for (const { stream } of pair.server.streams) {
      stream?.headers(okHead, false);
      stream?.end();
    }
    before.stream?.end();
    crossing.stream?.end();
    await pair.settle();
    expect(before.lines.at(-1)).toBe('end');
    expect(crossing.lines.at(-1)).toBe('end');
    expect(pair.server.lines.at(-1)).toBe('closed: drained');
    expect(pair.client.lines.at(-1)).toMatch('closed');
  });

  test('on the client closes after its last stream', async () => {
    const pair = await startH2Pair();
    const asked = pair.ask(getHead, true);
    await pair.settle();
    pair.client.session.drain();
    expect(pair.client.session.takesStreams).toBe(false);
    await pair.settle();
    expect(pair.client.lines).toEqual(['ready']);
    pair.server.streams[0]?.stream?.headers(okHead, true);
    await pair.settle();
    expect(asked.lines).toEqual(['headers :status=200 end']);
    expect(pair.client.lines).toEqual(['ready', 'closed: drained']);
    expect(pair.server.lines).toEqual(['ready', 'goaway', 'closed: peer-closed']);
  });

  test('without streams closes at once', async () => {
    const pair = await startH2Pair();
    pair.server.session.drain();
    pair.server.session.drain();
    await pair.settle();
    expect(pair.server.lines).toEqual(['ready', 'closed: drained']);
    expect(pair.client.lines).toEqual(['ready', 'goaway', 'closed: drained']);
  });
});

describe('the end of a session', () => {
  test('tells every stream first', async () => {
    const pair = await startH2Pair();
    const asked = pair.ask(connectHead);
    await pair.settle();
    pair.server.session.destroy(h2Error.internal);
    expect(pair.server.streams[0]?.lines.at(-1)).toBe('reset INTERNAL_ERROR');
    expect(pair.server.lines).toEqual(['ready', 'closed: destroyed']);
    await pair.settle();
    expect(asked.lines).toEqual(['reset CANCEL']);
    expect(pair.client.lines.at(-1)).toBe('closed: peer-closed');
    expect(pair.client.session.takesStreams).toBe(false);
    pair.server.session.destroy(h2Error.internal);
    pair.server.session.drain();
    pair.server.session.ping(10);
    await pair.settle();
    expect(pair.server.lines).toHaveLength(2);
  });

  test('by a broken wire is one too', async () => {
    const pair = await startH2Pair();
    const asked = pair.ask(connectHead);
    await pair.settle();
    pair.client.pipe.breakDown();
    await pair.settle();
    expect(asked.lines).toEqual(['reset CANCEL']);
    expect(pair.client.lines).toEqual(['ready', 'closed: pipe-cut']);
    expect(pair.server.streams[0]?.lines.at(-1)).toBe('reset CANCEL');
  });

  test('leaves no timer', async () => {
    const clock = createFakeClock(0);
    const pair = await startH2Pair({ clock });
    pair.client.session.ping(1_000);
    pair.client.session.destroy(h2Error.none);
    await pair.settle();
    await clock.advance(1_000);
    await pair.settle();
    expect(clock.waiting()).toBe(0);
  });
});

describe('deadlines', () => {
  test('a peer that answers no PING is gone', async () => {
    const clock = createFakeClock(0);
    const pair = await startH2Pair({ clock });
    pair.client.session.ping(1_000);
    await pair.settle();
    await clock.advance(2_000);
    expect(pair.client.lines).toEqual(['ready']);
    pair.client.session.ping(1_000); // and now nothing moves any more
    await clock.advance(1_000);
    expect(pair.client.lines).toEqual(['ready', 'closed: ping-timeout']);
  });

  test('a session without streams ends after its idle time', async () => {
    const clock = createFakeClock(0);
    const pair = await startH2Pair({ clock, times: { idleMs: 10_000 }, client: { times: { idleMs: Infinity } } });
    const asked = pair.ask(getHead, true);
    await pair.settle();
    await clock.advance(60_000);
    expect(pair.server.lines).toEqual(['ready']);
    pair.server.streams[0]?.stream?.headers(okHead, true);
    await clock.advance(9_000);
    await pair.settle();
    expect(pair.server.lines).toEqual(['ready']);
    await clock.advance(6_000);
    await pair.settle();
    expect(pair.server.lines).toEqual(['ready', 'closed: idle']);
    expect(asked.lines).toEqual(['headers :status=200 end']);
  });

  test('a wire that takes nothing for too long is cut (A54)', async () => {
    const clock = createFakeClock(0);
    const pair = await startH2Pair({ clock, times: { stallMs: 10_000 }, pipe: { fullBytes: 20_000 } });
    const asked = pair.ask(connectHead);
    await pair.settle();
    pair.server.pipe.pause();
    asked.stream?.data(plenty);
    await pair.settle();
    await clock.advance(20_000);
    expect(asked.lines).toEqual(['reset CANCEL']);
    expect(pair.client.lines.at(-1)).toBe('closed: wire-stalled');
  });
});
