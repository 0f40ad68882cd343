import { describe, expect, test } from 'vitest';
import { readRequestHead } from '#agent/http/head.ts';
import { knownName, nextHash } from '#agent/http/known-names.ts';
import { LastHead } from '#agent/http/last-head.ts';

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('the last head', () => {
  const head = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

  function remember(text: string): LastHead<string> {
    const last = new LastHead<string>();
    const bytes = bytesOf(`..${text}..`);
    last.keep(text, bytes, 2, 2 + text.length);
    bytes.fill(0);
    return last;
  }

  test.each([
    ['the same', head, 0, true],
    ['the same with more behind it', `${head}GET`, 0, true],
    ['the same further on', `xx${head}`, 2, true],
    ['a shorter one', head.slice(0, -1), 0, false],
    ['one of another case', head.replace('Host', 'host'), 0, false],
    ['one that differs at its end', `${head.slice(0, -3)}x\r\n`, 0, false],
    ['none', '', 0, false],
  ])('%s: %j at %i is %s', (_what, text, at, expected) => {
    expect(remember(head).isAt(bytesOf(text), at)).toBe(expected);
  });

  test('is replaced, also by a longer and by a shorter one, and forgotten', () => {
    const last = remember(head);
    const longer = head.replace('/', `/${'x'.repeat(500)}`);
    last.keep(longer, bytesOf(longer), 0, longer.length);
    expect([last.isAt(bytesOf(head), 0), last.isAt(bytesOf(longer), 0)]).toEqual([false, true]);
    last.keep(head, bytesOf(head), 0, head.length);
    expect([last.isAt(bytesOf(head), 0), last.isAt(bytesOf(longer), 0)]).toEqual([true, false]);
    expect(last.head).toBe(head);
    last.forget();
    expect([last.isAt(bytesOf(head), 0), last.head, last.length]).toEqual([false, undefined, 0]);
  });
});

describe('a known name', () => {
  const find = (text: string) => {
    const bytes = bytesOf(`\n${text}:`);
    return knownName(bytes, 1, bytes.length - 1, bytes.subarray(1, -1).reduce(nextHash, 0));
  };

  test.each(['Host', 'host', 'Content-Length', 'transfer-encoding', 'X-Forwarded-Client-Cert', 'traceparent'])(
    '%s is found in its own spelling',
    (text) => {
      expect(find(text)).toMatchObject({ rawName: text, name: text.toLowerCase() });
    },
  );

  test.each(['HOST', 'Hos', 'Hosts', 'Content_Length', 'X-Unheard-Of', 'a'])('%s is none', (text) => {
    expect(find(text)).toBeUndefined();
  });

  test('reads the same as any other', () => {
    for (const name of ['Accept', 'ACCEPT', 'accept', 'X-Other', 'x-other']) {
      const reading = readRequestHead(bytesOf(`GET / HTTP/1.1\r\nHost: a\r\n${name}:  b \r\n\r\n`), {
        maxBytes: 1_000,
        maxHeaders: 9,
      });
      const field = { name: name.toLowerCase(), rawName: name, value: 'b' };
      expect(reading).toMatchObject({ kind: 'complete', head: { headers: [{ name: 'host' }, field] } });
    }
  });
});
