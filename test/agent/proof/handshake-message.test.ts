import { describe, expect, test } from 'vitest';
import { MessageReader } from '#agent/proof/handshake-message.ts';
import { message } from '#support/authenticator-recipe.ts';

const certificate = message(11, Buffer.alloc(9_000, 'c'));
const finished = message(20, Buffer.alloc(32, 'f'));
const stream = Buffer.concat([certificate, finished, message(13, Buffer.alloc(0)), certificate]);

test.each([1, 3, 4, 5, 1_000, 4_096, 9_004, stream.length])('messages come whole from pieces of %i bytes', (size) => {
  const reader = new MessageReader();
  const types: number[] = [];
  const wholes: Buffer[] = [];
  for (let at = 0; at < stream.length; at += size) {
    const piece = Buffer.from(stream.subarray(at, at + size));
    const read = reader.read(piece);
    piece.fill(0); // the bytes are somebody else's afterwards
    if (!read.ok) throw new Error(read.reason);
    for (const each of read.value) {
      types.push(each.type);
      wholes.push(each.whole);
      expect(each.body).toEqual(each.whole.subarray(4));
    }
  }
  expect(types).toEqual([11, 20, 13, 11]);
  expect(Buffer.concat(wholes).equals(stream)).toBe(true);
});

describe('refused by its header, before its bytes come:', () => {
  test.each([
    ['a chain of more than 64 KiB', '0b010001', 'message-too-long'],
    ['the longest length there is', '0bffffff', 'message-too-long'],
    ['a request of more than 1 KiB', '11000401', 'message-too-long'],
    ['a server’s request of more than 1 KiB', '0d000401', 'message-too-long'],
    ['a signature longer than any of ours', '0f000409', 'message-too-long'],
    ['a MAC longer than any hash', '14000041', 'message-too-long'],
    ['a ClientHello', '01000010', 'unexpected-message'],
    ['a key update', '18000001', 'unexpected-message'],
    ['the connection preface of HTTP/2', Buffer.from('PRI ').toString('hex'), 'unexpected-message'],
  ])('%s', (_what, header, reason) => {
    const reader = new MessageReader();
    const bytes = Buffer.from(header, 'hex');
    expect(reader.read(bytes.subarray(0, 3))).toEqual({ ok: true, value: [] });
    expect(reader.read(bytes.subarray(3))).toEqual({ ok: false, reason });
  });
});
