import { describe, expect, test } from 'vitest';
import { createH2Session } from '#agent/h2/session.ts';
import { defaultH2Times } from '#agent/h2/session-options.ts';
import type { H2Session, H2Stream } from '#agent/h2/types.ts';
import { StreamPipe } from '#agent/tunnel/stream-pipe.ts';
import { connectStream } from '#agent/tunnel/connect-stream.ts';
import { tunnelSettings } from '#agent/tunnel/open-tunnel-h2.ts';
import { createFakeClock } from '#support/fake-clock.ts';
import { createMemoryPipes } from '#support/memory-pipe.ts';
import { createRecordingReader } from '#support/recording-reader.ts';
import { turns } from '#support/turns.ts';

/** A CONNECT stream between two sessions in this process: both of its ends as pipes, and the far stream itself. */
async function stage({ windowBytes = tunnelSettings.windowBytes } = {}) {
  const clock = createFakeClock(0);
  const { a, b } = createMemoryPipes();
  const over: string[] = [];
  const accepted = Promise.withResolvers<H2Stream>();
  const nothing = (): void => undefined;
  const handler = { onStream: nothing, onReady: nothing, onGoaway: nothing, onClosed: nothing };
  const options = { settings: { ...tunnelSettings, windowBytes }, times: defaultH2Times, clock };
  const server: H2Session = createH2Session({
    ...options,
    role: 'server',
    pipe: b,
    handler: {
      ...handler,
      onStream(stream) {
        const deaf = { onData: nothing, onEnd: nothing, onReset: nothing, onDrain: nothing };
        stream.handler = { ...deaf, onHeaders: () => accepted.resolve(stream) };
      },
    },
  });
  const client = createH2Session({ ...options, role: 'client', pipe: a, handler });
  await turns(5);
  const order = { authority: 'prices:7002', deadlineMs: 1_000, owner: { onPipeOver: () => void over.push('near') } };
  const opening = connectStream(client, order, clock);
  const stream = await accepted.promise;
  const far = new StreamPipe(stream, { onPipeOver: () => void over.push('far') });
  stream.headers([{ name: ':status', rawName: ':status', value: '200' }], false);
  const opened = await opening;
  if (!opened.ok) throw new Error(opened.reason);
  return { near: opened.value, far, stream, over, client, server, clock };
}

describe('a CONNECT stream as a pipe', () => {
  test('carries bytes both ways, and each end by itself', async () => {
    const { near, far, over, client } = await stage();
    const [atNear, atFar] = [createRecordingReader(), createRecordingReader()];
    [near.reader, far.reader] = [atNear, atFar];
    near.resume();
    far.resume();
    near.writeText('ping');
    near.end();
    await atFar.told('end');
    expect([atFar.bytes.toString(), near.isOpen, far.isOpen, over]).toEqual(['ping', false, false, []]);
    far.writeText('pong');
    far.end();
    await Promise.all([atNear.told('cut'), atFar.told('cut')]);
    expect([atNear.story, atFar.story]).toEqual([
      ['bytes', 'end', 'cut'],
      ['bytes', 'end', 'cut'],
    ]);
    expect([atNear.bytes.toString(), over.sort(), client.openStreams]).toEqual(['pong', ['far', 'near'], 0]);
  });

  test('holds what arrives until somebody reads, in order, and the end after it', async () => {
    const { near, far } = await stage();
    for (const text of ['one ', 'two ', 'three']) {
      near.writeText(text);
      await turns(4);
    }
    near.end();
    await turns(4);
    const reader = createRecordingReader();
    far.reader = reader;
    far.resume();
    expect(reader.story).toEqual([]); // not from inside a call of its own
    await reader.told('end');
    expect([reader.bytes.toString(), reader.story]).toEqual(['one two three', ['bytes', 'end']]);
  });

  test('a reader that pauses in the middle gets the rest when it goes on', async () => {
    const { near, far } = await stage();
    near.writeText('one ');
    await turns(4);
    near.writeText('two');
    await turns(4);
    const got: string[] = [];
    far.reader = {
      onBytes(bytes) {
        got.push(bytes.toString());
        far.pause();
      },
      onEnd: () => void got.push('end'),
      onCut: () => void got.push('cut'),
      onDrain: () => undefined,
    };
    far.resume();
    await turns(4);
    expect(got).toEqual(['one ']);
    far.resume();
    await turns(4);
    near.writeText(' three');
    near.end();
    await turns(4);
    expect(got).toEqual(['one ', 'two']);
    far.resume();
    await turns(4);
    far.resume();
    await turns(4);
    expect(got).toEqual(['one ', 'two', ' three', 'end']);
  });

  test('a paused reader stops its sender at the window, and nobody else', async () => {
    const { near, far } = await stage({ windowBytes: 100_000 });
    let written = 0;
    while (near.write(Buffer.alloc(10_000, 'x'))) written += 10_000;
    await turns(10);
    expect(written).toBeLessThan(200_000);
    const reader = createRecordingReader();
    far.reader = reader;
    const drained = createRecordingReader();
    near.reader = drained;
    far.resume();
    await drained.told('drain');
    await reader.got(written);
    expect(reader.bytes.length).toBeGreaterThanOrEqual(written);
  });

  test('is not over before what waits for window has left', async () => {
    const { near, far, over } = await stage({ windowBytes: 65_535 });
    const [atNear, atFar] = [createRecordingReader(), createRecordingReader()];
    near.reader = atNear;
    near.resume();
    far.writeText('done');
    far.end();
    await atNear.told('end');
    near.write(Buffer.alloc(100_000, 'x'));
    near.end();
    await turns(10);
    expect([atNear.story, over]).toEqual([['bytes', 'end'], []]);
    far.reader = atFar;
    far.resume();
    await Promise.all([atNear.told('cut'), atFar.told('cut')]);
    expect([atFar.bytes.length, near.unsentBytes, atFar.story]).toEqual([100_000, 0, ['bytes', 'end', 'cut']]);
  });

  test.each(['near', 'far'] as const)('cut by its %s end, the other sees a break and no end', async (side) => {
    const { near, far, over } = await stage();
    const [atNear, atFar] = [createRecordingReader(), createRecordingReader()];
    [near.reader, far.reader] = [atNear, atFar];
    near.resume();
    far.resume();
    const cut = side === 'near' ? near : far;
    cut.cut();
    cut.cut();
    expect([atNear.story, atFar.story]).toEqual([[], []]);
    await Promise.all([atNear.told('cut'), atFar.told('cut')]);
    expect([atNear.story, atFar.story, over.length]).toEqual([['cut'], ['cut'], 2]);
    expect([cut.write(Buffer.from('late')), cut.isOpen]).toEqual([true, false]);
  });

  test('one that broke before it had a reader says so to the first one', async () => {
    const { near, far, over } = await stage();
    near.cut();
    await turns(4);
    expect(over).toContain('far');
    const reader = createRecordingReader();
    far.reader = reader;
    far.resume();
    await reader.told('cut');
    expect(reader.story).toEqual(['cut']);
  });

  test('trailers are none of a tunnel: they cut it', async () => {
    const { near, stream } = await stage();
    const reader = createRecordingReader();
    near.reader = reader;
    near.resume();
    stream.headers([{ name: 'x', rawName: 'x', value: 'y' }], true);
    await reader.told('cut');
    expect(reader.story).toEqual(['cut']);
  });

  test('the end of the session cuts it', async () => {
    const { near, far, client } = await stage();
    const [atNear, atFar] = [createRecordingReader(), createRecordingReader()];
    [near.reader, far.reader] = [atNear, atFar];
    near.resume();
    far.resume();
    client.destroy(0);
    await Promise.all([atNear.told('cut'), atFar.told('cut')]);
    expect(atFar.story).toEqual(['cut']);
  });
});
