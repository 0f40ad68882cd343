import { describe, expect, test } from 'vitest';
import { frameFlag, frameType, settingId } from '#agent/h2/frames.ts';
import {
  againstClient,
  getHead,
  h2Fields,
  headersFrame,
  okHead,
  postHead,
  rawFrame,
  settingsFrame,
  startH2Pair,
  StreamLog,
  uint32,
} from '#support/h2-raw.ts';

const { data, settings, pushPromise, goaway } = frameType;
const { endStream, endHeaders } = frameFlag;

describe('a client', () => {
  async function asking(): Promise<{ client: Awaited<ReturnType<typeof againstClient>>; log: StreamLog }> {
    const client = await againstClient();
    const log = new StreamLog();
    log.stream = client.session.request(postHead, false, log);
    await client.settle();
    client.sent();
    return { client, log };
  }

  test.each<[string, Buffer[], string]>([
    ['a stream of the server', [headersFrame(2, okHead)], 'PROTOCOL_ERROR'],
    ['an answer to nothing', [headersFrame(5, okHead)], 'PROTOCOL_ERROR'],
    ['PUSH_PROMISE', [rawFrame(pushPromise, endHeaders, 1, uint32(2))], 'PROTOCOL_ERROR'],
    ['a server that wants to push', [settingsFrame([[settingId.enablePush, 1]])], 'PROTOCOL_ERROR'],
  ])('that reads %s ends the session', async (_what, frames, expected) => {
    const { client, log } = await asking();
    await client.send(...frames);
    expect(client.story().at(-1)).toBe(`GOAWAY ${expected}`);
    expect(log.lines).toEqual([`reset ${expected}`]);
  });

  test.each<[string, Buffer[]]>([
    ['DATA before a head', [rawFrame(data, 0, 1, 'a')]],
    ['an informational head that ends', [headersFrame(1, h2Fields({ ':status': '103' }), endStream)]],
    ['a head without a status', [headersFrame(1, h2Fields({ x: 'y' }))]],
    ['101', [headersFrame(1, h2Fields({ ':status': '101' }))]],
    ['content with 204', [headersFrame(1, h2Fields({ ':status': '204' })), rawFrame(data, 0, 1, 'a')]],
    [
      'less than content-length says',
      [headersFrame(1, h2Fields({ ':status': '200', 'content-length': '5' })), rawFrame(data, endStream, 1, 'abc')],
    ],
    ['a second final head', [headersFrame(1, okHead), headersFrame(1, okHead)]],
  ])('that reads %s resets the stream', async (_what, frames) => {
    const { client, log } = await asking();
    await client.send(...frames);
    expect(client.story()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
    expect(log.lines.at(-1)).toBe('reset PROTOCOL_ERROR');
  });

  test('does not wait for ever for an answer behind informational ones (A62)', async () => {
    const { client, log } = await asking();
    await client.send(...Array.from({ length: 40 }, () => headersFrame(1, h2Fields({ ':status': '103' }))));
    expect(log.lines.at(-1)).toBe('reset ENHANCE_YOUR_CALM');
  });

  test('may try again elsewhere what the server has not taken', async () => {
    const client = await againstClient();
    const logs = [new StreamLog(), new StreamLog(), new StreamLog()];
    for (const log of logs) log.stream = client.session.request(postHead, false, log);
    await client.send(rawFrame(goaway, 0, 0, Buffer.concat([uint32(1), uint32(0)])));
    expect(logs.map(({ lines }) => lines)).toEqual([[], ['reset REFUSED_STREAM'], ['reset REFUSED_STREAM']]);
    expect(client.lines).toEqual(['ready', 'goaway']);
    await client.send(headersFrame(1, okHead, endStream));
    expect(logs[0]?.lines).toEqual(['headers :status=200 end']);
  });

  test('opens no more streams than the server allows', async () => {
    const client = await againstClient({
      prelude: [settingsFrame([[settingId.maxConcurrentStreams, 1]]), rawFrame(settings, 1, 0)],
    });
    expect(client.session.peerMaxStreams).toBe(1);
    expect(client.session.request(getHead, true, new StreamLog())).toBeDefined();
    expect(client.session.request(getHead, true, new StreamLog())).toBeUndefined();
  });

  test('opens none before it has heard from the server', async () => {
    const client = await againstClient({ prelude: [] });
    expect(client.session.takesStreams).toBe(false);
    expect(client.session.request(getHead, true, new StreamLog())).toBeUndefined();
  });
});

test('a request that ends in the middle of nothing leaves no stream on either side', async () => {
  const pair = await startH2Pair();
  for (let round = 0; round < 50; round += 1) {
    const asked = pair.ask(postHead);
    await pair.settle();
    if (round % 2 === 0) asked.stream?.reset(8);
    else pair.server.streams.at(-1)?.stream?.reset(8);
    await pair.settle();
  }
  expect([pair.client.session.openStreams, pair.server.session.openStreams]).toEqual([0, 0]);
});
