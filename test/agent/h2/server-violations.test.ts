import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientPreface, frameFlag, frameType, settingId } from '#agent/h2/frames.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import {
  againstServer,
  connectHead,
  getHead,
  h2Fields,
  headersFrame,
  okHead,
  postHead,
  rawFrame,
  settingsFrame,
  uint32,
} from '#support/h2-raw.ts';

const { data, headers, priority, rstStream, settings, pushPromise, ping, goaway, windowUpdate, continuation } =
  frameType;
const { endStream, endHeaders, padded } = frameFlag;
const longest = 2 ** 31 - 1;

describe('a server', () => {
  test.each<[string, Buffer[], string]>([
    ['HTTP/1.1', [Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n')], 'GOAWAY PROTOCOL_ERROR'],
    ['another frame before SETTINGS', [clientPreface, rawFrame(ping, 0, 0, '12345678')], 'GOAWAY PROTOCOL_ERROR'],
    ['DATA before SETTINGS', [clientPreface, rawFrame(data, 0, 1, 'a')], 'GOAWAY PROTOCOL_ERROR'],
    ['an acknowledgement before SETTINGS', [clientPreface, rawFrame(settings, 1, 0)], 'GOAWAY PROTOCOL_ERROR'],
  ])('that reads %s first ends the session', async (_what, prelude, expected) => {
    const server = await againstServer({ prelude });
    expect(server.story().at(-1)).toBe(expected);
    expect(server.lines.at(-1)).toBe('closed: not-http2');
  });

  test.each<[string, Buffer[], string]>([
    ['DATA on the session', [rawFrame(data, 0, 0, 'a')], 'PROTOCOL_ERROR'],
    ['HEADERS on the session', [headersFrame(0, getHead)], 'PROTOCOL_ERROR'],
    ['RST_STREAM on the session', [rawFrame(rstStream, 0, 0, uint32(8))], 'PROTOCOL_ERROR'],
    ['SETTINGS on a stream', [rawFrame(settings, 0, 1)], 'PROTOCOL_ERROR'],
    ['PING on a stream', [rawFrame(ping, 0, 1, '12345678')], 'PROTOCOL_ERROR'],
    ['GOAWAY on a stream', [rawFrame(goaway, 0, 1, '12345678')], 'PROTOCOL_ERROR'],
    ['a short PING', [rawFrame(ping, 0, 0, '1234')], 'FRAME_SIZE_ERROR'],
    ['a long RST_STREAM', [headersFrame(1, getHead), rawFrame(rstStream, 0, 1, '12345')], 'FRAME_SIZE_ERROR'],
    ['a short WINDOW_UPDATE', [rawFrame(windowUpdate, 0, 0, '123')], 'FRAME_SIZE_ERROR'],
    ['a short PRIORITY', [rawFrame(priority, 0, 1, '1234')], 'FRAME_SIZE_ERROR'],
    ['a short GOAWAY', [rawFrame(goaway, 0, 0, '1234567')], 'FRAME_SIZE_ERROR'],
    ['SETTINGS with half a setting', [rawFrame(settings, 0, 0, '123')], 'FRAME_SIZE_ERROR'],
    ['an acknowledgement with settings', [rawFrame(settings, 1, 0, '123456')], 'FRAME_SIZE_ERROR'],
    ['a frame that is too long', [rawFrame(data, 0, 1, 'x'.repeat(70_000))], 'FRAME_SIZE_ERROR'],
    ['a window beyond 2^31-1', [settingsFrame([[settingId.initialWindowSize, 2 ** 31]])], 'FLOW_CONTROL_ERROR'],
    ['a frame size that is too small', [settingsFrame([[settingId.maxFrameSize, 16_383]])], 'PROTOCOL_ERROR'],
    ['a frame size that is too large', [settingsFrame([[settingId.maxFrameSize, 2 ** 24]])], 'PROTOCOL_ERROR'],
    ['push neither on nor off', [settingsFrame([[settingId.enablePush, 2]])], 'PROTOCOL_ERROR'],
    ['PUSH_PROMISE', [headersFrame(1, getHead), rawFrame(pushPromise, endHeaders, 1, uint32(2))], 'PROTOCOL_ERROR'],
    ['CONTINUATION of nothing', [rawFrame(continuation, endHeaders, 1)], 'PROTOCOL_ERROR'],
    ['DATA inside a block', [rawFrame(headers, 0, 1), rawFrame(data, 0, 1, 'a')], 'PROTOCOL_ERROR'],
    ['another block inside a block', [rawFrame(headers, 0, 1), rawFrame(continuation, 0, 3)], 'PROTOCOL_ERROR'],
    ['an unknown frame inside a block', [rawFrame(headers, 0, 1), rawFrame(0x20, 0, 0)], 'PROTOCOL_ERROR'],
    ['a stream with an even number', [headersFrame(2, getHead)], 'PROTOCOL_ERROR'],
    ['DATA on a stream that never was', [rawFrame(data, 0, 5, 'a')], 'PROTOCOL_ERROR'],
    ['RST_STREAM on a stream that never was', [rawFrame(rstStream, 0, 5, uint32(8))], 'PROTOCOL_ERROR'],
    ['WINDOW_UPDATE on a stream that never was', [rawFrame(windowUpdate, 0, 5, uint32(8))], 'PROTOCOL_ERROR'],
    ['WINDOW_UPDATE by nothing', [rawFrame(windowUpdate, 0, 0, uint32(0))], 'PROTOCOL_ERROR'],
    ['a session window beyond 2^31-1', [rawFrame(windowUpdate, 0, 0, uint32(longest))], 'FLOW_CONTROL_ERROR'],
    ['padding longer than DATA', [headersFrame(1, getHead), rawFrame(data, padded, 1, '\x05ab')], 'PROTOCOL_ERROR'],
    ['padding longer than HEADERS', [rawFrame(headers, padded | endHeaders, 1, '\x05ab')], 'PROTOCOL_ERROR'],
    ['a block that is no HPACK', [rawFrame(headers, endHeaders, 1, '\x80')], 'COMPRESSION_ERROR'],
    ['a lower number than before', [headersFrame(5, getHead), headersFrame(3, getHead)], 'STREAM_CLOSED'],
    [
      'PRIORITY of a stream on itself',
      [rawFrame(priority, 0, 5, Buffer.concat([uint32(5), Buffer.alloc(1)]))],
      'PROTOCOL_ERROR',
    ],
  ])('that reads %s ends the session', async (_what, frames, expected) => {
    const server = await againstServer();
    await server.send(...frames);
    expect(server.story().at(-1)).toBe(`GOAWAY ${expected}`);
    expect(server.lines.at(-1)).toMatch(/^closed: (?!peer)/);
    expect(server.pipe.state.ended).toBe(true);
  });

  test.each<[string, Buffer[], string]>([
    ['WINDOW_UPDATE by nothing', [rawFrame(windowUpdate, 0, 1, uint32(0))], 'PROTOCOL_ERROR'],
    ['a window beyond 2^31-1', [rawFrame(windowUpdate, 0, 1, uint32(longest))], 'FLOW_CONTROL_ERROR'],
    ['trailers that do not end it', [headersFrame(1, h2Fields({ x: 'y' }))], 'PROTOCOL_ERROR'],
    ['trailers with pseudo-header fields', [headersFrame(1, getHead, endStream)], 'PROTOCOL_ERROR'],
    ['DATA after its end', [rawFrame(data, endStream, 1), rawFrame(data, 0, 1, 'a')], 'STREAM_CLOSED'],
    ['HEADERS after its end', [rawFrame(data, endStream, 1), headersFrame(1, [], endStream)], 'STREAM_CLOSED'],
  ])('that reads %s resets that stream alone', async (_what, frames, expected) => {
    const server = await againstServer();
    await server.send(headersFrame(1, postHead), headersFrame(3, postHead), ...frames);
    expect(server.story()).toEqual([`RST_STREAM 1 ${expected}`]);
    expect(server.streams[0]?.lines.at(-1)).toBe(`reset ${expected}`);
    expect(server.session.openStreams).toBe(1);
  });

  test.each<[string, Buffer[]]>([
    ['more than content-length says', [rawFrame(data, 0, 1, 'abc'), rawFrame(data, 0, 1, 'abc')]],
    ['more in a padded frame', [rawFrame(data, padded, 1, '\x01abcdef\0')]],
    ['less, with the end on DATA', [rawFrame(data, endStream, 1, 'abc')]],
    ['less, with the end on trailers', [rawFrame(data, 0, 1, 'abc'), headersFrame(1, [], endStream)]],
  ])('that reads %s resets the stream, and its handler hears of no end (A52)', async (_what, frames) => {
    const server = await againstServer();
    await server.send(headersFrame(1, [...postHead, ...h2Fields({ 'content-length': '5' })]), ...frames);
    expect(server.story()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
    expect(server.streams[0]?.lines.at(-1)).toBe('reset PROTOCOL_ERROR');
    expect(server.streams[0]?.lines).not.toContain('end');
  });

  test.each([
    ['an upper-case name', { 'X-A': 'b' }],
    ['a line break in a value', { 'x-a': 'b\r\ntransfer-encoding: chunked' }],
    ['transfer-encoding', { 'transfer-encoding': 'chunked' }],
    ['connection', { connection: 'x-eastwest-port' }],
    ['a second path', { ':path': '/other' }],
    ['a length and no content', { 'content-length': '5' }],
  ])('never shows a request with %s to its handler (A52)', async (_what, rows) => {
    const server = await againstServer();
    await server.send(headersFrame(1, [...getHead, ...h2Fields(Object.entries(rows))], endStream));
    expect(server.story()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
    expect(server.streams).toEqual([]);
    await server.send(headersFrame(3, getHead, endStream));
    expect(server.streams).toHaveLength(1);
  });

  test('answers a head with too many or too long fields with 431, and goes on (A55)', async () => {
    const server = await againstServer({ settings: { maxHeaders: 10, maxHeaderListBytes: 2_000 } });
    const many = h2Fields(Array.from({ length: 20 }, (_, at) => [`x-${at}`, ''] as const));
    const long = h2Fields({ x: 'y'.repeat(2_000) });
    await server.send(headersFrame(1, [...getHead, ...many], endStream), headersFrame(3, [...postHead, ...long]));
    expect(server.story()).toEqual(['HEADERS 1 end', 'HEADERS 3 end', 'RST_STREAM 3 NO_ERROR']);
    await server.send(rawFrame(data, endStream, 3, 'late'), headersFrame(5, getHead, endStream));
    expect(server.story()).toEqual([]);
    expect(server.streams).toHaveLength(1);
  });

  test('answers CONNECT with 405 where there are no tunnels', async () => {
    const server = await againstServer({ settings: { connect: 'refuse' } });
    await server.send(headersFrame(1, connectHead));
    expect(server.story()).toEqual(['HEADERS 1 end', 'RST_STREAM 1 NO_ERROR']);
    expect(server.streams).toEqual([]);
  });

  test('refuses more streams than it allows, so that they may be tried elsewhere', async () => {
    const server = await againstServer({ settings: { maxStreams: 2 } });
    await server.send(...[1, 3, 5].map((id) => headersFrame(id, postHead)));
    expect(server.story()).toEqual(['RST_STREAM 5 REFUSED_STREAM']);
    server.streams[0]?.stream?.reset(8);
    await server.send(rawFrame(data, 0, 5, 'late'), headersFrame(7, postHead));
    expect(server.story()).toEqual(['RST_STREAM 1 CANCEL']);
    expect(server.streams).toHaveLength(3);
  });

  test('holds the peer to the window it gave, and to its own before that is known', async () => {
    const server = await againstServer({ settings: { windowBytes: 70_000 } });
    await server.send(headersFrame(1, postHead));
    server.streams[0]?.stream?.pause();
    const frames = Array.from({ length: 7 }, () => rawFrame(data, 0, 1, 'x'.repeat(10_000)));
    await server.send(...frames);
    expect(server.story()).toEqual([]);
    await server.send(rawFrame(data, 0, 1, 'x'));
    expect(server.story()).toEqual(['RST_STREAM 1 FLOW_CONTROL_ERROR']);
  });

  test('gives padding back to the windows', async () => {
    const server = await againstServer({ settings: { windowBytes: 65_536, sessionWindowBytes: 65_536 } });
    await server.send(headersFrame(1, postHead));
    const frame = rawFrame(data, padded, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(256)]));
    for (let sent = 0; sent < 3; sent += 1) await server.send(...Array.from({ length: 100 }, () => frame));
    const updates = server.story();
    expect(updates.filter((line) => line.startsWith('WINDOW_UPDATE +')).length).toBe(2);
    expect(updates.filter((line) => line.startsWith('WINDOW_UPDATE 1')).length).toBe(2);
    expect(server.streams[0]?.bytes.length).toBe(300);
  });

  test('moves the windows of all streams with SETTINGS, also below nothing', async () => {
    const server = await againstServer();
    await server.send(headersFrame(1, getHead, endStream));
    const stream = server.streams[0]?.stream;
    stream?.headers(okHead, false);
    stream?.data(Buffer.alloc(60_000));
    await server.send(settingsFrame([[settingId.initialWindowSize, 10_000]]));
    stream?.data(Buffer.alloc(20_000));
    await server.settle();
    expect(stream?.unsentBytes).toBe(20_000);
    server.sent();
    await server.send(rawFrame(windowUpdate, 0, 0, uint32(100_000)), rawFrame(windowUpdate, 0, 1, uint32(50_001)));
    expect(server.story()).toEqual(['DATA 1 1']);
    await server.send(settingsFrame([[settingId.initialWindowSize, 20_000]]));
    expect(server.story()).toEqual(['SETTINGS ack', 'DATA 1 10000']);
    expect(stream?.unsentBytes).toBe(9_999);
  });

  test('keeps the table of field blocks in step for streams that are gone', async () => {
    const server = await againstServer();
    const indexed = Buffer.from('40 0161 0162'.replaceAll(' ', ''), 'hex');
    await server.send(headersFrame(1, postHead));
    server.streams[0]?.stream?.reset(8);
    await server.send(rawFrame(headers, endHeaders | endStream, 1, indexed));
    await server.send(rawFrame(headers, endHeaders | endStream, 3, Buffer.from('828684be', 'hex')));
    expect(server.streams[1]?.lines[0]).toContain('a=b');
  });

  test('that reads no preface or no acknowledgement in time ends the session (A54)', async () => {
    const clock = createFakeClock(0);
    const silent = await againstServer({ clock, prelude: [clientPreface.subarray(0, 20)] });
    const deaf = await againstServer({ clock, prelude: [clientPreface, settingsFrame()] });
    const lazy = await againstServer({ clock });
    await lazy.send(rawFrame(headers, 0, 1));
    await clock.advance(10_000);
    expect(silent.lines).toEqual(['closed: preface-timeout']);
    expect(deaf.lines).toEqual(['ready', 'closed: settings-timeout']);
    expect(lazy.lines).toEqual(['ready', 'closed: head-timeout']);
    await lazy.settle();
    expect(lazy.story()).toEqual(['GOAWAY ENHANCE_YOUR_CALM']);
  });

  test('survives any bytes', async () => {
    const frame = fc
      .tuple(
        fc.integer({ min: 0, max: 10 }),
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 0, max: 6 }),
        fc.uint8Array({ maxLength: 30 }),
      )
      .map(([type, flags, id, payload]) => rawFrame(type, flags, id, Buffer.from(payload)));
    const good = fc.constantFrom(headersFrame(1, postHead), headersFrame(3, postHead), rawFrame(data, 0, 1, 'abc'));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(good, good, frame), { maxLength: 12 }), async (frames) => {
        const server = await againstServer();
        await server.send(...frames);
        if (!server.lines.some((line) => line.startsWith('closed'))) {
          await server.send(rawFrame(ping, 0, 0, 'anybody?'));
          expect(server.story().at(-1)).toMatch(/PING ack|GOAWAY/);
        }
      }),
      { numRuns: 150 },
    );
  });
});
