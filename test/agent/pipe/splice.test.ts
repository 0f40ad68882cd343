import { describe, expect, test } from 'vitest';
import type { Pipe } from '#agent/pipe/pipe.ts';
import { splice, type SpliceEnd, type SpliceOptions } from '#agent/pipe/splice.ts';
import { createMemoryPipes, type MemoryPipeOptions } from '#support/memory-pipe.ts';
import { connectPipes } from '#support/pipe-pairs.ts';
import { createRecordingReader } from '#support/recording-reader.ts';

/** An app and a peer, far ends of two pipes whose near ends are joined. */
function join(options: MemoryPipeOptions = {}, splicing: SpliceOptions = {}) {
  const left = createMemoryPipes({ delivery: 'manual', ...options });
  const right = createMemoryPipes({ delivery: 'manual', ...options });
  const ends: SpliceEnd[] = [];
  const app = listening(left.a);
  const peer = listening(right.b);
  const joined = splice(left.b, right.a, { ...splicing, onDone: (end) => ends.push(end) });
  const deliver = (): void => {
    for (let round = 0; round < 10; round += 1) {
      left.deliver();
      right.deliver();
    }
  };
  return {
    app,
    peer,
    joined,
    ends,
    deliver,
    near: { app: left.b, peer: right.a },
    far: { app: left.a, peer: right.b },
  };
}

function listening(pipe: Pipe) {
  const reader = createRecordingReader();
  pipe.reader = reader;
  pipe.resume();
  return reader;
}

describe('two pipes that are spliced', () => {
  test('carry bytes both ways, each direction to its own end', () => {
    const { app, peer, far, ends, deliver, joined } = join();
    far.app.writeText('question');
    far.app.end();
    deliver();
    expect([String(peer.bytes), peer.story, ends]).toEqual(['question', ['bytes', 'end'], []]);
    far.peer.writeText('the answer');
    deliver();
    expect([String(app.bytes), joined.bytesFromA, joined.bytesFromB]).toEqual(['the answer', 8, 10]);
    far.peer.end();
    deliver();
    expect([app.story, peer.story]).toEqual([
      ['bytes', 'end', 'cut'],
      ['bytes', 'end', 'cut'],
    ]);
    expect(ends).toEqual([{ outcome: 'ended', bytesFromA: 8, bytesFromB: 10 }]);
  });

  test('send first what was read before', () => {
    const early = { earlyFromA: Buffer.from('from app '), earlyFromB: Buffer.from('from peer ') };
    const { app, peer, far, deliver, joined } = join({}, early);
    far.app.writeText('later');
    far.peer.writeText('later');
    deliver();
    expect([String(peer.bytes), String(app.bytes)]).toEqual(['from app later', 'from peer later']);
    expect([joined.bytesFromA, joined.bytesFromB]).toEqual([14, 15]);
  });

  test.each(['app', 'peer'] as const)('a cut of the %s breaks both, and nothing of it looks like an end', (who) => {
    const { app, peer, far, ends, deliver } = join();
    far[who].writeText('half a mess');
    deliver();
    far[who].cut();
    deliver();
    expect([app.story.at(-1), peer.story.at(-1)]).toEqual(['cut', 'cut']);
    expect([...app.story, ...peer.story]).not.toContain('end');
    expect(ends).toMatchObject([{ outcome: 'cut' }]);
  });

  test('a cut after one direction has ended is still a cut', () => {
    const { app, peer, far, ends, deliver } = join();
    far.app.end();
    deliver();
    far.peer.writeText('half an ans');
    far.peer.cut();
    deliver();
    expect(peer.story).toEqual(['end', 'cut']);
    expect(app.story).not.toContain('end');
    expect(ends).toMatchObject([{ outcome: 'cut' }]);
  });

  test('both are cut from here', () => {
    const { app, peer, joined, ends, deliver } = join();
    joined.cut();
    deliver();
    expect([app.story, peer.story, ends]).toEqual([
      ['cut'],
      ['cut'],
      [{ outcome: 'cut', bytesFromA: 0, bytesFromB: 0 }],
    ]);
  });

  test('are done once, also where a cut closes the other side at once', () => {
    const { near, far, ends, deliver } = join();
    const cut = near.peer.cut.bind(near.peer);
    near.peer.cut = () => {
      cut();
      near.peer.reader.onCut(); // as a TLS socket does whose connection is gone already
    };
    far.app.cut();
    deliver();
    expect(ends).toMatchObject([{ outcome: 'cut' }]);
  });

  test.each([
    ['app', 'peer'],
    ['peer', 'app'],
  ] as const)('%s waits while %s does not read', (writer, slow) => {
    const { far, deliver, ends, ...rest } = join({ fullBytes: 100, pieceBytes: 50 });
    far[slow].pause();
    for (let count = 0; count < 20; count += 1) far[writer].write(Buffer.alloc(50, count));
    deliver();
    const waiting = rest.near[slow].unsentBytes;
    expect(waiting).toBe(150); // one piece more than full
    expect(far[writer].unsentBytes).toBe(850);
    far[slow].resume();
    deliver();
    expect(rest[slow].bytes.length).toBe(1_000);
    expect(rest[slow].bytes.at(-1)).toBe(19);
    expect(ends).toEqual([]);
  });

  test('early bytes that fill the other side hold the reading back as well', () => {
    const { far, near, deliver, peer } = join({ fullBytes: 100 }, { earlyFromA: Buffer.alloc(500) });
    expect([near.app.state.paused, near.peer.state.paused]).toEqual([true, false]);
    far.app.writeText('more');
    deliver();
    expect(peer.bytes.length).toBe(504);
  });
});

test.each(['tcp', 'tls', 'guarded-tls'] as const)('over %s, 5 MB go through and come back whole', async (kind) => {
  await using left = await connectPipes(kind);
  await using right = await connectPipes(kind);
  const done = Promise.withResolvers<SpliceEnd>();
  splice(left.server, right.client, { onDone: done.resolve });
  right.server.reader = {
    onBytes: (bytes) => {
      if (!right.server.write(bytes)) right.server.pause();
    },
    onDrain: () => right.server.resume(),
    onEnd: () => right.server.end(),
    onCut: () => undefined,
  };
  right.server.resume();
  left.client.resume();
  const sent = Buffer.alloc(5_000_000);
  for (let index = 0; index < sent.length; index += 1) sent[index] = (index * 31) % 253;
  left.client.write(sent);
  left.client.end();
  await left.atClient.told('end');
  expect(left.atClient.bytes.equals(sent)).toBe(true);
  expect(await done.promise).toEqual({ outcome: 'ended', bytesFromA: 5_000_000, bytesFromB: 5_000_000 });
});

test.each(['tcp', 'tls', 'guarded-tls'] as const)('over %s, a reset is passed on as one', async (kind) => {
  await using left = await connectPipes(kind);
  await using right = await connectPipes(kind);
  const done = Promise.withResolvers<SpliceEnd>();
  splice(left.server, right.client, { onDone: done.resolve });
  left.client.resume();
  right.server.resume();
  left.client.writeText('half a mess');
  await right.atServer.got(11);
  left.client.cut();
  await right.atServer.told('cut');
  expect(right.atServer.story).toEqual(['bytes', 'cut']);
  expect(await done.promise).toEqual({ outcome: 'cut', bytesFromA: 11, bytesFromB: 0 });
});
