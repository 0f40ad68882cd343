import { expect, test } from 'vitest';
import { readRequestHead, type RequestHead } from '#agent/http/head.ts';
import { KnownHeads } from '#agent/http/known-heads.ts';
import { LastHead } from '#agent/http/last-head.ts';

const limits = { maxBytes: 32_768, maxHeaders: 100 };

function said(target: string, more = ''): { bytes: Buffer; head: RequestHead; at: { from: number; to: number } } {
  const bytes = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: a\r\n${more}\r\n`, 'latin1');
  const reading = readRequestHead(bytes, limits);
  if (reading.kind !== 'complete') throw new Error('not a head');
  return { bytes, head: reading.head, at: { from: 0, to: reading.end } };
}

test('the first head of a connection is known to all, a further one only to itself', () => {
  const common = new LastHead<RequestHead>();
  const [one, other] = [new KnownHeads(common), new KnownHeads(common)];
  const [first, second] = [said('/1'), said('/2')];
  one.keep(first.head, first.bytes, first.at);
  expect([one.find(first.bytes, 0)?.head, other.find(first.bytes, 0)?.head]).toEqual([first.head, first.head]);
  expect([one.holdsOwn, one.find(second.bytes, 0)]).toEqual([false, undefined]);
  one.keep(second.head, second.bytes, second.at);
  expect([one.find(second.bytes, 0)?.head, other.find(second.bytes, 0)]).toEqual([second.head, undefined]);
  one.forgetOwn();
  expect([one.holdsOwn, one.find(second.bytes, 0), one.find(first.bytes, 0)?.head]).toEqual([
    false,
    undefined,
    first.head,
  ]);
});

test('a connection whose first head another one has replaced keeps it for itself from the second time on', () => {
  const common = new LastHead<RequestHead>();
  const [one, other] = [new KnownHeads(common), new KnownHeads(common)];
  const [mine, theirs] = [said('/mine'), said('/theirs')];
  one.keep(mine.head, mine.bytes, mine.at);
  other.keep(theirs.head, theirs.bytes, theirs.at);
  expect(one.find(mine.bytes, 0)).toBeUndefined();
  one.keep(mine.head, mine.bytes, mine.at);
  expect([one.find(mine.bytes, 0)?.head, one.find(theirs.bytes, 0)?.head]).toEqual([mine.head, theirs.head]);
});

test('without a common memory each connection has its own', () => {
  const [one, other] = [new KnownHeads(undefined), new KnownHeads(undefined)];
  const first = said('/');
  one.keep(first.head, first.bytes, first.at);
  expect([one.holdsOwn, one.find(first.bytes, 0)?.head, other.find(first.bytes, 0)]).toEqual([
    true,
    first.head,
    undefined,
  ]);
});

test('a head that holds a secret is known to its own connection alone', () => {
  const common = new LastHead<RequestHead>();
  const [one, other] = [new KnownHeads(common), new KnownHeads(common)];
  const { bytes, head, at } = said('/', 'Authorization: Bearer secret\r\n');
  one.keep(head, bytes, at);
  expect([one.find(bytes, 0)?.head, other.find(bytes, 0), common.head]).toEqual([head, undefined, undefined]);
});
