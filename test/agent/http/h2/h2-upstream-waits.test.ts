import { describe, expect, test } from 'vitest';
import { fieldsOf } from './fields-of.ts';
import { bytes, createUpstreamStage, get, nextTurn, post } from './upstream-stage.ts';

describe('a request that waits for a session', () => {
  test('keeps what the caller sends and goes out when the session comes', () => {
    const { session, start, bring } = createUpstreamStage({ session: 'later' });
    const { caller, sink } = start(post, 'later');
    sink.pause();
    expect(sink.data(bytes('a'))).toBe(false);
    sink.data(bytes('b'));
    bring();
    expect(session.last.said.slice(1)).toEqual(['PAUSE', 'DATA a', 'DATA b']);
    expect(caller.heard).toEqual(['drain']);
    sink.end([]);
    expect(session.last.said.at(-1)).toBe('END');
  });

  test('goes out whole when the caller has ended meanwhile', () => {
    const { session, start, bring } = createUpstreamStage({ session: 'later' });
    const { sink } = start(post, 'later');
    sink.data(bytes('a'));
    sink.end(fieldsOf('x-sum: 1'));
    bring();
    expect(session.last.said.slice(1)).toEqual(['DATA a', 'HEAD x-sum: 1 END']);
  });

  test('is forgotten when the caller leaves', () => {
    const { session, waiters, start, bring } = createUpstreamStage({ session: 'later' });
    const { sink } = start(get);
    sink.abort();
    expect(waiters.size).toBe(0);
    bring();
    expect(session.streams).toEqual([]);
  });

  test('fails as its source says', () => {
    const { waiters, start } = createUpstreamStage({ session: 'later' });
    const { caller } = start(get);
    for (const waiter of waiters) waiter.onUnreachable('no-session');
    expect(caller.heard).toEqual(['failed no-session']);
  });
});

describe('a session whose streams are all taken', () => {
  test('lets requests wait, in order, until one ends', async () => {
    const { session, start } = createUpstreamStage();
    session.peerMaxStreams = 1;
    start(get);
    const second = start(`${get}2`);
    start(`${get}3`);
    session.openStreams = 0;
    session.streams[0]!.handler.onHeaders(fieldsOf(':status: 200'), true);
    await nextTurn();
    expect(session.streams).toHaveLength(2);
    expect(session.last.said[0]).toMatch('/prices2');
    session.openStreams = 0;
    session.last.handler.onReset(2);
    expect(second.caller.heard).toEqual(['failed upstream-closed']);
    await nextTurn();
    expect(session.last.said[0]).toMatch('/prices3');
  });

  test('lets a bounded number wait, for a bounded time', async () => {
    const { clock, session, start } = createUpstreamStage();
    session.peerMaxStreams = 0;
    const waiting = [start(get), start(get)];
    const third = start(get);
    expect(third.caller.heard).toEqual(['failed no-stream']);
    waiting[0]!.sink.abort();
    expect(start(get).caller.heard).toEqual([]);
    await clock.advance(1_600);
    expect(waiting[1]!.caller.heard).toEqual(['failed no-stream']);
    expect(waiting[0]!.caller.heard).toEqual([]);
  });

  test('is tried again when somebody else’s stream has ended', async () => {
    const { clock, session, start } = createUpstreamStage();
    session.peerMaxStreams = 0;
    start(get);
    session.peerMaxStreams = 1;
    await clock.advance(600);
    expect(session.streams).toHaveLength(1);
  });
});

describe('a stream that the receiver refused unprocessed', () => {
  test('is opened again, once, while nothing of the body is gone', () => {
    const { session, start } = createUpstreamStage();
    const { caller, sink } = start(get);
    sink.end([]);
    session.last.handler.onReset(7);
    expect(session.streams).toHaveLength(2);
    expect(caller.heard).toEqual([]);
    session.last.handler.onReset(7);
    expect(session.streams).toHaveLength(2);
    expect(caller.heard).toEqual(['failed refused']);
  });

  test('fails as refused when some of the body is gone', () => {
    const { session, start } = createUpstreamStage();
    const { caller, sink } = start(post, 'later');
    sink.data(bytes('x'));
    session.last.handler.onReset(7);
    expect(session.streams).toHaveLength(1);
    expect(caller.heard).toEqual(['failed refused']);
  });
});
