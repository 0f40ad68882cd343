import { describe, expect, test } from 'vitest';
import { frameFlag, frameType, settingId } from '#agent/h2/frames.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import {
  againstClient,
  againstServer,
  connectHead,
  getHead,
  h2Fields,
  headersFrame,
  okHead,
  plainBlock,
  postHead,
  rawFrame,
  settingsFrame,
  startH2Pair,
  StreamLog,
  uint32,
} from '#support/h2-raw.ts';

const { data, headers, priority, rstStream, ping, goaway, windowUpdate, continuation } = frameType;
const { endStream, endHeaders } = frameFlag;

function many(count: number, frame: (at: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, at) => frame(at)));
}
const cancel = (id: number): Buffer => rawFrame(rstStream, 0, id, uint32(8));
const dependency = Buffer.alloc(5);
/** Names no stream that was not taken. */
const farewell = rawFrame(goaway, 0, 0, Buffer.concat([uint32(0x7fff_ffff), uint32(0)]));

/** What no honest peer sends so much of. */
const floods: [string, Buffer][] = [
  ['rapid reset', many(3_000, (at) => Buffer.concat([headersFrame(2 * at + 1, getHead), cancel(2 * at + 1)]))],
  [
    'resets that the peer makes us send: windows by nothing',
    many(500, (at) =>
      Buffer.concat([headersFrame(2 * at + 1, getHead, endStream), rawFrame(windowUpdate, 0, 2 * at + 1, uint32(0))]),
    ),
  ],
  [
    'resets that the peer makes us send: DATA after the end',
    many(500, (at) =>
      Buffer.concat([headersFrame(2 * at + 1, getHead, endStream), rawFrame(data, 0, 2 * at + 1, 'x')]),
    ),
  ],
  ['malformed requests', many(500, (at) => headersFrame(2 * at + 1, h2Fields({ ':path': '/' })))],
  ['empty CONTINUATION', Buffer.concat([rawFrame(headers, 0, 1), many(1_000, () => rawFrame(continuation, 0, 1))])],
  [
    'endless CONTINUATION',
    Buffer.concat([rawFrame(headers, 0, 1), many(60, () => rawFrame(continuation, 0, 1, Buffer.alloc(16_000)))]),
  ],
  ['SETTINGS', many(1_000, () => settingsFrame([[settingId.initialWindowSize, 65_535]]))],
  ['PING', many(12_000, () => rawFrame(ping, 0, 0, '12345678'))],
  ['GOAWAY', many(1_000, () => farewell)],
  ['PRIORITY', many(12_000, () => rawFrame(priority, 0, 1, dependency))],
  ['WINDOW_UPDATE', many(12_000, () => rawFrame(windowUpdate, 0, 0, uint32(1)))],
  ['frames of unknown types', many(12_000, () => rawFrame(0x42, 0, 0))],
  ['empty DATA', Buffer.concat([headersFrame(1, postHead), many(3_000, () => rawFrame(data, 0, 1))])],
  ['empty padded DATA', Buffer.concat([headersFrame(1, postHead), many(3_000, () => rawFrame(data, 8, 1, '\x01\0'))])],
  [
    'frames for streams that are gone',
    Buffer.concat([
      headersFrame(1, getHead, endStream),
      rawFrame(data, 0, 1, 'x'),
      many(42_000, () => rawFrame(data, 0, 1, 'x')),
    ]),
  ],
  [
    '100,000 fields',
    Buffer.concat([
      rawFrame(headers, 0, 1, plainBlock(getHead)),
      many(6, () => rawFrame(continuation, 0, 1, Buffer.alloc(16_000, 0x90))),
      rawFrame(continuation, endHeaders, 1, Buffer.alloc(4_000, 0x90)),
    ]),
  ],
  [
    'a field block that blows up',
    Buffer.concat([
      rawFrame(headers, endHeaders, 1, Buffer.from(`40 0161 7f81 1e${'62'.repeat(0xf80)}`.replaceAll(' ', ''), 'hex')),
      rawFrame(headers, endHeaders, 3, Buffer.alloc(16_000, 0xbe)),
    ]),
  ],
];

describe('a flood (A53)', () => {
  test.each(floods)('of %s ends its session, and no other', async (_what, bytes) => {
    const other = await startH2Pair();
    const asked = other.ask(connectHead);
    const server = await againstServer();
    await server.send(bytes);
    expect(server.story().at(-1)).toBe('GOAWAY ENHANCE_YOUR_CALM');
    expect(server.lines.at(-1)).toBe('closed: flood');
    expect(server.session.openStreams).toBe(0);
    asked.stream?.text('unharmed');
    await other.settle();
    expect(other.server.streams[0]?.bytes.toString()).toBe('unharmed');
  });

  test('of PINGs, SETTINGS or GOAWAYs by a server ends a client as well', async () => {
    const floodsOfServers = [
      many(12_000, () => rawFrame(ping, 0, 0, '12345678')),
      many(1_000, () => settingsFrame()),
      many(1_000, () => farewell),
    ];
    for (const bytes of floodsOfServers) {
      const client = await againstClient();
      const log = new StreamLog();
      log.stream = client.session.request(postHead, false, log);
      await client.send(bytes);
      expect(log.lines).toEqual(['reset ENHANCE_YOUR_CALM']);
    }
  });

  test('of tunnels that are opened and reset before a byte came through them ends its session', async () => {
    const server = await againstServer({ clock: createFakeClock(0) });
    let opened = 0;
    while (opened < 6_000 && server.lines.at(-1) !== 'closed: flood') {
      const ids = Array.from({ length: 100 }, (_, at) => 2 * (opened + at) + 1);
      await server.send(...ids.map((id) => headersFrame(id, connectHead)));
      for (const { stream } of server.streams.slice(-ids.length)) stream?.headers(okHead, false);
      await server.send(...ids.map(cancel));
      opened += ids.length;
    }
    expect(server.lines.at(-1)).toBe('closed: flood');
    expect(opened).toBeGreaterThan(3_900);
  });

  test('is not what tunnels do that carried something, however many', async () => {
    const server = await againstServer({ clock: createFakeClock(0) });
    for (let opened = 0; opened < 6_000; opened += 100) {
      const ids = Array.from({ length: 100 }, (_, at) => 2 * (opened + at) + 1);
      await server.send(...ids.map((id) => headersFrame(id, connectHead)));
      for (const { stream } of server.streams.slice(-ids.length)) {
        stream?.headers(okHead, false);
        stream?.text('x');
      }
      await server.send(...ids.map(cancel));
    }
    expect(server.lines).toEqual(['ready']);
  });

  test('is not what a busy honest peer does: its small frames come with frames of use', async () => {
    const server = await againstServer();
    for (let round = 0; round < 30; round += 1) {
      const id = 2 * round + 1;
      await server.send(headersFrame(id, postHead));
      const useful = Buffer.concat([
        rawFrame(data, 0, id, 'x'),
        rawFrame(ping, 0, 0, '12345678'),
        rawFrame(windowUpdate, 0, 0, uint32(1)),
        rawFrame(windowUpdate, 0, id, uint32(1)),
      ]);
      await server.send(
        many(500, () => useful),
        rawFrame(data, endStream, id),
      );
      server.streams.at(-1)?.stream?.headers(okHead, true);
    }
    expect(server.lines).toEqual(['ready']);
  });

  test('is not what callers do who give up now and then', async () => {
    const clock = createFakeClock(0);
    const server = await againstServer({ clock });
    for (let second = 0; second < 30; second += 1) {
      const first = second * 200 + 1;
      await server.send(
        many(100, (at) => Buffer.concat([headersFrame(first + 2 * at, getHead), cancel(first + 2 * at)])),
      );
      await clock.advance(1_000);
    }
    expect(server.lines).toEqual(['ready']);
  });

  test('nor what callers do whose deadlines pass while the app hangs', async () => {
    const clock = createFakeClock(0);
    const server = await againstServer({ clock });
    for (let round = 0; round < 100; round += 1) {
      const ids = Array.from({ length: 90 }, (_, at) => 2 * (90 * round + at) + 1);
      await server.send(...ids.map((id) => headersFrame(id, getHead)));
      await clock.advance(100);
      await server.send(...ids.map(cancel));
    }
    expect(server.lines).toEqual(['ready']);
  });

  test('of requests whose answers nobody reads stops the server from reading on, and memory is bounded', async () => {
    const server = await againstServer({ pipe: { fullBytes: 20_000 } });
    server.onStream = ({ stream }): void => stream?.headers(h2Fields({ ':status': '200', x: 'y'.repeat(600) }), true);
    server.peer.pause();
    for (let round = 0; round < 40; round += 1) {
      await server.send(many(100, (at) => headersFrame(2 * (100 * round + at) + 1, getHead, endStream)));
    }
    expect(server.pipe.state.paused).toBe(true);
    expect(server.pipe.unsentBytes).toBeLessThan(700_000);
    expect(server.streams.length).toBeLessThan(1_500);
    server.peer.resume();
    for (let round = 0; round < 20; round += 1) await server.settle();
    expect(server.streams).toHaveLength(4_000);
  });
});
