import { describe, expect, test } from 'vitest';
import { connectPipes, type PairKind } from '#support/pipe-pairs.ts';
import { turns } from '#support/turns.ts';

const kinds: PairKind[] = ['tcp', 'tls', 'guarded-tls'];

describe.each(kinds)('a pipe over %s', (kind) => {
  test('brings text and bytes of one turn in order, and nothing while it is paused', async () => {
    await using pair = await connectPipes(kind);
    const { client, server, atServer, atClient } = pair;
    client.writeText('GET /caf\u00e9 HTTP/1.1\r\n');
    client.writeText('Host: a\r\n');
    client.write(Buffer.from('\r\n'));
    client.writeText('body');
    server.writeText('server first');
    client.resume();
    await atClient.got(12);
    expect(atServer.story).toEqual([]);
    server.resume();
    expect((await atServer.got(34)).toString('latin1')).toBe('GET /caf\u00e9 HTTP/1.1\r\nHost: a\r\n\r\nbody');
    expect(atServer.pieces).toHaveLength(1);
    expect([client.unsentBytes, client.isOpen]).toEqual([kind === 'tcp' ? 0 : expect.any(Number), true]);
  });

  test('copies what it keeps: the writer may use its memory again at once', async () => {
    await using pair = await connectPipes(kind);
    const { client, server, atServer } = pair;
    server.resume();
    const sizes = [3, 9_000, 20_000, 70_000, 250_000, 1];
    const sent: Buffer[] = [];
    for (const [index, size] of sizes.entries()) {
      const bytes = Buffer.alloc(size, `piece ${index} `);
      sent.push(Buffer.from(bytes));
      client.write(bytes);
      bytes.fill(0);
      if (index === 1) client.writeText('and text');
      if (index === 1) sent.push(Buffer.from('and text'));
    }
    const expected = Buffer.concat(sent);
    expect((await atServer.got(expected.length)).equals(expected)).toBe(true);
  });

  test('sends at once when told to flush', async () => {
    await using pair = await connectPipes(kind);
    pair.server.resume();
    pair.client.writeText('now');
    pair.client.flush();
    pair.client.writeText(' and later');
    expect(String(await pair.atServer.got(13))).toBe('now and later');
  });

  test('ends one direction after all bytes; the other lives on; then both ends hear that it is closed', async () => {
    await using pair = await connectPipes(kind);
    const { client, server, atServer, atClient } = pair;
    client.resume();
    server.resume();
    client.writeText('question');
    client.end();
    client.writeText('too late');
    client.end();
    await atServer.told('end');
    expect([client.isOpen, server.isOpen]).toEqual([false, false]);
    expect([String(atServer.bytes), atServer.story]).toEqual(['question', ['bytes', 'end']]);
    server.write(Buffer.alloc(300_000, 'answer'));
    server.end();
    await Promise.all([atClient.told('cut'), atServer.told('cut')]);
    expect([atClient.bytes.length, atClient.story]).toEqual([300_000, ['bytes', 'end', 'cut']]);
    expect(atServer.story.filter((told) => told !== 'drain')).toEqual(['bytes', 'end', 'cut']);
  });

  test('is full when the other end does not read, and drains when it does', async () => {
    await using pair = await connectPipes(kind);
    const { client, server, atServer, atClient } = pair;
    client.resume();
    const chunk = Buffer.alloc(100_000, 'x');
    let sent = 0;
    for (let turn = 0; turn < 500 && client.unsentBytes < 500_000; turn += 1) {
      client.write(chunk);
      sent += chunk.length;
      await turns(1);
    }
    expect([client.write(chunk), client.unsentBytes > 500_000]).toEqual([false, true]);
    sent += chunk.length;
    const drainsBefore = atClient.story.filter((told) => told === 'drain').length;
    server.resume();
    expect((await atServer.got(sent)).length).toBe(sent);
    while (client.unsentBytes > 0) await turns(1);
    expect(atClient.story.filter((told) => told === 'drain').length).toBeGreaterThan(drainsBefore);
    expect(client.write(Buffer.from('more'))).toBe(true);
  });

  test('pauses in the middle of what was read already, and loses nothing', async () => {
    await using pair = await connectPipes(kind);
    const { client, server, atServer } = pair;
    const whole = Buffer.alloc(400_000);
    for (let index = 0; index < whole.length; index += 1) whole[index] = index % 251;
    const took = atServer.onBytes.bind(atServer);
    let insideCall = false;
    atServer.onBytes = (bytes) => {
      expect(insideCall).toBe(false);
      took(bytes);
      server.pause();
      setImmediate(() => {
        insideCall = true;
        server.resume();
        server.pause();
        server.resume();
        insideCall = false;
      });
    };
    server.resume();
    client.write(whole);
    client.end();
    await atServer.told('end');
    expect(atServer.bytes.equals(whole)).toBe(true);
  });

  test('keeps the end back until the bytes before it were read', async () => {
    await using pair = await connectPipes(kind);
    const { client, server, atServer } = pair;
    const took = atServer.onBytes.bind(atServer);
    atServer.onBytes = (bytes) => {
      took(bytes);
      server.pause();
    };
    server.resume();
    client.writeText('last words');
    client.end();
    await atServer.got(10);
    await turns();
    expect(atServer.story).toEqual(['bytes']);
    server.end();
    await turns();
    expect(atServer.story).toEqual(['bytes']);
    server.resume();
    await atServer.told('cut');
    expect(atServer.story).toEqual(['bytes', 'end', 'cut']);
  });

  test('a cut is told once and soon at both ends, never as an end, and drops what was not sent', async () => {
    await using pair = await connectPipes(kind);
    const { client, server, atServer, atClient } = pair;
    client.resume();
    server.resume();
    client.writeText('half a mess');
    client.flush();
    await atServer.got(11);
    client.writeText('age');
    client.cut();
    client.cut();
    client.writeText('nothing');
    client.end();
    expect([atClient.story, client.isOpen]).toEqual([[], false]);
    await Promise.all([atClient.told('cut'), atServer.told('cut')]);
    await turns();
    expect([atClient.story, atServer.story]).toEqual([['cut'], ['bytes', 'cut']]);
    expect([String(atServer.bytes), server.isOpen]).toEqual(['half a mess', false]);
  });

  test('a cut after our end still ends both', async () => {
    await using pair = await connectPipes(kind);
    const { client, server, atServer, atClient } = pair;
    server.resume();
    client.end();
    await atServer.told('end');
    client.cut();
    await atClient.told('cut');
    server.write(Buffer.alloc(100_000));
    server.cut();
    await atServer.told('cut');
    expect([atClient.story, atServer.story]).toEqual([['cut'], ['end', 'cut']]);
  });

  test('a cut of a pipe whose end nobody read is told too', async () => {
    await using pair = await connectPipes(kind);
    const { client, server, atServer } = pair;
    const took = atServer.onBytes.bind(atServer);
    atServer.onBytes = (bytes) => {
      took(bytes);
      server.pause();
    };
    server.resume();
    client.writeText('last words');
    client.end();
    await atServer.got(10);
    server.end();
    await turns();
    server.cut();
    await atServer.told('cut');
    expect(atServer.story).toEqual(['bytes', 'cut']);
  });

  test('changes hands by a new reader', async () => {
    await using pair = await connectPipes(kind);
    const { client, server, atServer, atClient } = pair;
    server.resume();
    client.writeText('first');
    await atServer.got(5);
    server.reader = atClient;
    client.writeText('second');
    expect(String(await atClient.got(6))).toBe('second');
    expect(String(atServer.bytes)).toBe('first');
  });
});

describe('a TCP pipe that hangs up', () => {
  test('does not wait for the other end, which gets all that was written, in order', async () => {
    await using pair = await connectPipes('tcp');
    const { client, server, atServer, atClient } = pair;
    client.resume();
    server.resume();
    client.writeText('last words');
    client.hangUp?.();
    client.writeText('too late');
    expect([client.isOpen, atClient.story]).toEqual([false, []]);
    await Promise.all([atClient.told('cut'), atServer.told('end')]);
    expect([String(atServer.bytes), atServer.story, atClient.story]).toEqual(['last words', ['bytes', 'end'], ['cut']]);
  });

  test('loses nothing of what the system has not taken yet', async () => {
    await using pair = await connectPipes('tcp');
    const { client, server, atServer, atClient } = pair;
    client.write(Buffer.alloc(8_000_000, 'much'));
    client.hangUp?.();
    await turns();
    expect(atClient.story).toEqual([]);
    server.resume();
    await atServer.told('end');
    expect(atServer.bytes).toHaveLength(8_000_000);
  });

  test('is cut like any other', async () => {
    await using pair = await connectPipes('tcp');
    const { client, server, atServer, atClient } = pair;
    client.write(Buffer.alloc(8_000_000));
    client.hangUp?.();
    await turns();
    client.cut();
    server.resume();
    await Promise.all([atClient.told('cut'), atServer.told('cut')]);
    expect(atServer.story).not.toContain('end');
  });
});
