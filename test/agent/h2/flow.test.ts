import { describe, expect, test } from 'vitest';
import { connectHead, frameStory, readFrames, startH2Pair, type H2Pair, type StreamLog } from '#support/h2-raw.ts';

const first = 100_000;
const most = 800_000;
const settings = { windowBytes: most, firstWindowBytes: first, unreadCeilingBytes: 2_000_000 };

/** The server's are looked at; what waits at the client has no ceiling. */
const start = (changes: Partial<typeof settings> = {}): Promise<H2Pair> =>
  startH2Pair({
    settings: { ...settings, ...changes },
    client: { settings: { ...settings, unreadCeilingBytes: 100_000_000 } },
  });

/** A stream of a pair: the client sends, the server reads. */
async function open(pair: H2Pair): Promise<{ readonly sender: StreamLog; readonly reader: StreamLog }> {
  const sender = pair.ask(connectHead);
  await pair.settle();
  return { sender, reader: pair.server.streams.at(-1)! };
}

/** What arrives while the reader is paused: all that the window lets through. */
async function windowOf(pair: H2Pair, { sender, reader }: Awaited<ReturnType<typeof open>>): Promise<number> {
  reader.stream?.pause();
  const before = reader.bytes.length;
  sender.stream?.data(Buffer.alloc(most * 2));
  for (let round = 0; round < 40; round += 1) await pair.settle();
  return reader.bytes.length - before;
}

/** Sends and reads so much, without a pause. */
async function read(pair: H2Pair, one: Awaited<ReturnType<typeof open>>, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; sent += 40_000) {
    one.sender.stream?.data(Buffer.alloc(40_000));
    await pair.settle();
  }
}

describe('the window of a stream', () => {
  test('is what SETTINGS say at first', async () => {
    const pair = await start();
    const one = await open(pair);
    pair.server.pipe.takeWritten();
    expect(await windowOf(pair, one)).toBe(first);
    expect(frameStory(readFrames(pair.server.pipe.takeWritten())), 'no credit for what nobody reads').toEqual([]);
  });

  test('is never larger at first than at the most', async () => {
    const pair = await start({ windowBytes: 70_000 });
    expect(await windowOf(pair, await open(pair))).toBe(70_000);
  });

  test('grows while its reader keeps up, and not beyond the most', async () => {
    const pair = await start();
    const one = await open(pair);
    await read(pair, one, 120_000);
    expect(await windowOf(pair, one)).toBeGreaterThan(first);
    const other = await open(pair);
    await read(pair, other, 8_000_000);
    const grown = await windowOf(pair, other);
    expect(grown).toBeGreaterThan(most / 2); // half of it may not have been given back yet
    expect(grown).toBeLessThanOrEqual(most);
  });

  test('grows only as far as all together have grown by half of the ceiling', async () => {
    const pair = await start();
    let windows = 0;
    for (let count = 0; count < 5; count += 1) {
      const one = await open(pair);
      await read(pair, one, 4_000_000);
      windows += await windowOf(pair, one);
    }
    expect(windows).toBeLessThanOrEqual(settings.unreadCeilingBytes / 2 + 5 * first);
    expect(windows).toBeGreaterThan(settings.unreadCeilingBytes / 4);
    expect(pair.server.session.openStreams).toBe(5);
  });

  test('leaves room to grow when a stream that had grown is gone', async () => {
    const pair = await start({ unreadCeilingBytes: 1_400_000 });
    for (let count = 0; count < 3; count += 1) {
      const one = await open(pair);
      await read(pair, one, 4_000_000);
      one.sender.stream?.reset(8);
      await pair.settle();
    }
    const last = await open(pair);
    await read(pair, last, 4_000_000);
    expect(await windowOf(pair, last)).toBeGreaterThan(most / 2);
  });

  test('does not grow for a reader who lets it fill up', async () => {
    const pair = await start();
    const one = await open(pair);
    expect(await windowOf(pair, one)).toBe(first);
    for (let turn = 0; turn < 5; turn += 1) {
      const before = one.reader.bytes.length;
      one.reader.stream?.resume();
      one.reader.stream?.pause();
      for (let round = 0; round < 10; round += 1) await pair.settle();
      expect(one.reader.bytes.length - before).toBe(first);
    }
  });

  test('shrinks as it is read while half of the ceiling lies unread elsewhere, and grows again after that', async () => {
    const pair = await start();
    const wide = await open(pair);
    await read(pair, wide, 8_000_000);
    const others = [];
    for (let count = 0; count < 12; count += 1) others.push(await open(pair));
    let unread = 0;
    for (const other of others) unread += await windowOf(pair, other);
    expect(unread * 2).toBeGreaterThan(settings.unreadCeilingBytes);
    await read(pair, wide, 4_000_000);
    expect(wide.reader.bytes.length, 'no reader is held up').toBe(12_000_000);
    expect(await windowOf(pair, wide)).toBeLessThanOrEqual(32_768);
    for (const { sender } of others) sender.stream?.reset(8);
    wide.reader.stream?.resume();
    for (let round = 0; round < 100; round += 1) await pair.settle();
    expect(wide.reader.bytes.length).toBe(12_000_000 + 2 * most);
    await read(pair, wide, 8_000_000);
    expect(await windowOf(pair, wide)).toBeGreaterThan(most / 2);
  });

  test('lets five times as many slow readers wait as it would otherwise, and resets none of them (A54)', async () => {
    const pair = await start();
    const streams = [];
    for (let count = 0; count < 15; count += 1) streams.push(await open(pair));
    for (const one of streams) await windowOf(pair, one);
    expect(streams.map(({ reader }) => reader.lines.at(-1))).toEqual(streams.map(() => 'data'));
    expect(pair.server.session.openStreams).toBe(15);
  });
});
