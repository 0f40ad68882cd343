import { describe, expect, test } from 'vitest';
import {
  connectHead,
  frameStory,
  getHead,
  h2Fields,
  okHead,
  postHead,
  readFrames,
  startH2Pair,
} from '#support/h2-raw.ts';

const plenty = Buffer.alloc(300_000, 'x');

describe('a request and its answer', () => {
  test('travel with bodies and trailers in both directions', async () => {
    const pair = await startH2Pair();
    expect([pair.client.lines, pair.server.lines]).toEqual([['ready'], ['ready']]);
    const asked = pair.ask(postHead);
    asked.stream?.data(Buffer.from('ping'));
    asked.stream?.headers(h2Fields({ 'x-sum': '4' }), true);
    await pair.settle();
    const [served] = pair.server.streams;
    expect(served?.lines).toEqual([
      'headers :method=POST :scheme=http :authority=a :path=/',
      'data',
      'headers x-sum=4 end',
    ]);
    served?.stream?.headers(h2Fields({ ':status': '103', link: '<a>' }), false);
    served?.stream?.headers(okHead, false);
    served?.stream?.text('pong');
    served?.stream?.headers(h2Fields({ 'grpc-status': '0' }), true);
    await pair.settle();
    expect(asked.lines).toEqual([
      'headers :status=103 link=<a>',
      'headers :status=200',
      'data',
      'headers grpc-status=0 end',
    ]);
    expect(asked.bytes.toString()).toBe('pong');
    expect([pair.client.session.openStreams, pair.server.session.openStreams]).toEqual([0, 0]);
  });

  test('without bodies end with their heads', async () => {
    const pair = await startH2Pair();
    const asked = pair.ask(getHead, true);
    await pair.settle();
    pair.server.streams[0]?.stream?.headers(h2Fields({ ':status': '204' }), true);
    await pair.settle();
    expect(pair.server.streams[0]?.lines).toEqual(['headers :method=GET :scheme=http :authority=a :path=/ end']);
    expect(asked.lines).toEqual(['headers :status=204 end']);
    expect(asked.stream?.isOpen).toBe(false);
  });

  test('to HEAD may name a length that never comes', async () => {
    const pair = await startH2Pair();
    const asked = pair.ask(h2Fields({ ':method': 'HEAD', ':scheme': 'http', ':path': '/' }), true);
    await pair.settle();
    pair.server.streams[0]?.stream?.headers(h2Fields({ ':status': '200', 'content-length': '5' }), true);
    await pair.settle();
    expect(asked.lines).toEqual(['headers :status=200 content-length=5 end']);
  });

  test('leave in one write per turn, pieces of one stream in one frame', async () => {
    const pair = await startH2Pair();
    const asked = pair.ask(connectHead);
    await pair.settle();
    pair.client.pipe.takeWritten();
    const flushes = pair.client.pipe.flushes.length;
    for (const piece of ['GET / HTTP/1.1\r\n', 'host: a\r\n', '\r\n']) asked.stream?.text(piece);
    const other = pair.ask(getHead, true);
    asked.stream?.data(Buffer.from('more'));
    asked.stream?.end();
    await pair.settle();
    expect(pair.client.pipe.flushes.length - flushes).toBe(1);
    expect(frameStory(readFrames(pair.client.pipe.takeWritten()))).toEqual([
      'DATA 1 27',
      'HEADERS 3 end',
      'DATA 1 4 end',
    ]);
    expect(pair.server.streams[0]?.bytes.toString()).toBe('GET / HTTP/1.1\r\nhost: a\r\n\r\nmore');
    expect(other.lines).toEqual([]);
  });

  test('with heads longer than a frame go on in CONTINUATION', async () => {
    const pair = await startH2Pair({ settings: { maxHeaderListBytes: 200_000 } });
    const long = h2Fields([...Array(10).keys()].map((at) => [`x-${at}`, String(at).repeat(9_000)] as const));
    pair.ask([...getHead, ...long], true);
    await pair.settle();
    expect(pair.server.streams[0]?.heads[0]).toEqual([...getHead, ...long]);
  });
});

describe('flow control', () => {
  test('carries what is larger than every window, in both directions at once', async () => {
    const pair = await startH2Pair({ settings: { windowBytes: 20_000, sessionWindowBytes: 70_000 } });
    const asked = pair.ask(connectHead);
    await pair.settle();
    const served = pair.server.streams[0]!;
    served.stream?.headers(okHead, false);
    asked.stream?.data(plenty);
    served.stream?.data(plenty);
    asked.stream?.end();
    served.stream?.end();
    for (let round = 0; round < 40; round += 1) await pair.settle();
    expect(served.bytes.equals(plenty)).toBe(true);
    expect(asked.bytes.equals(plenty)).toBe(true);
    expect([served.lines.at(-1), asked.lines.at(-1)]).toEqual(['end', 'end']);
    expect(asked.stream?.unsentBytes).toBe(0);
    expect([asked.drains, served.drains]).toEqual([1, 1]); // what waited has left
  });

  test('stops a sender whose reader pauses, and tells it when it may go on', async () => {
    const pair = await startH2Pair({ settings: { windowBytes: 100_000 } });
    const asked = pair.ask(connectHead);
    await pair.settle();
    const served = pair.server.streams[0]!;
    served.stream?.pause();
    expect(asked.stream?.data(plenty)).toBe(false);
    await pair.settle();
    expect(served.bytes.length).toBe(100_000);
    expect(asked.stream?.unsentBytes).toBe(200_000);
    expect(asked.drains).toBe(0);
    served.stream?.resume();
    for (let round = 0; round < 10; round += 1) await pair.settle();
    expect(served.bytes.length).toBe(300_000);
    expect(asked.drains).toBe(1);
  });

  test('lets one paused stream hold up nobody, though it fills the window of the session many times', async () => {
    const pair = await startH2Pair({ settings: { windowBytes: 60_000, sessionWindowBytes: 70_000 } });
    const logs = Array.from({ length: 10 }, () => pair.ask(connectHead));
    await pair.settle();
    for (const { stream } of pair.server.streams) stream?.pause();
    for (const { stream } of logs) stream?.data(plenty);
    const quick = pair.ask(connectHead);
    quick.stream?.text('hello');
    for (let round = 0; round < 20; round += 1) await pair.settle();
    expect(pair.server.streams.at(-1)?.bytes.toString()).toBe('hello');
    expect(pair.server.streams.slice(0, 10).every(({ bytes }) => bytes.length === 60_000)).toBe(true);
  });

  test('lets streams take turns where the wire is narrow', async () => {
    const pair = await startH2Pair({ pipe: { fullBytes: 20_000 } });
    const bulk = pair.ask(connectHead);
    const small = pair.ask(connectHead);
    await pair.settle();
    let bulkBefore = 0;
    const [bulkServed, smallServed] = pair.server.streams;
    smallServed!.onBytes = () => void (bulkBefore ||= bulkServed!.bytes.length);
    bulk.stream?.data(Buffer.alloc(900_000, 'x'));
    small.stream?.text('me too');
    for (let round = 0; round < 100; round += 1) await pair.settle();
    expect(bulkServed?.bytes.length).toBe(900_000);
    expect(bulkBefore).toBeGreaterThan(0);
    expect(bulkBefore).toBeLessThan(200_000);
  });

  test('resets the fullest paused streams when too much lies unread, and no other (A53)', async () => {
    const pair = await startH2Pair({ settings: { windowBytes: 100_000, unreadCeilingBytes: 250_000 } });
    const logs = [90_000, 99_000, 10_000, 95_000].map((bytes) => ({ bytes, log: pair.ask(connectHead) }));
    await pair.settle();
    for (const { stream } of pair.server.streams) stream?.pause();
    for (const { bytes, log } of logs) {
      log.stream?.data(Buffer.alloc(bytes));
      await pair.settle();
    }
    const resets = logs.map(({ log }) => log.lines.at(-1));
    expect(resets).toEqual([undefined, 'reset ENHANCE_YOUR_CALM', undefined, undefined]);
    expect(pair.server.streams[1]?.lines.at(-1)).toBe('reset ENHANCE_YOUR_CALM');
    expect(pair.server.session.openStreams).toBe(3);
  });

  test('resets the longest queues when too much waits for windows that stay shut (A53)', async () => {
    const pair = await startH2Pair({
      settings: { windowBytes: 1_000 },
      client: { settings: { unreadCeilingBytes: 250_000 } },
    });
    const logs = [90_000, 200_000, 10_000].map((bytes) => ({ bytes, log: pair.ask(connectHead) }));
    await pair.settle();
    for (const { stream } of pair.server.streams) stream?.pause();
    for (const { bytes, log } of logs) log.stream?.data(Buffer.alloc(bytes));
    await pair.settle();
    expect(logs.map(({ log }) => log.lines.at(-1))).toEqual([undefined, 'reset ENHANCE_YOUR_CALM', undefined]);
  });
});
