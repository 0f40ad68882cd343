import { describe, expect, test } from 'vitest';
import { BodyReader } from '#agent/http/body.ts';
import { BodyWriter } from '#agent/http/body-writer.ts';
import type { Framing } from '#agent/http/framing.ts';
import { headerField } from '#agent/http/header-field.ts';
import { createMemoryPipes } from '#support/memory-pipe.ts';

const limits = { maxTrailerBytes: 1_024, maxTrailers: 8 };
const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What a reader makes of these bytes: reason, or data and what was left over. */
function outcome(reader: BodyReader, text: string) {
  const bytes = bytesOf(text);
  let data = '';
  for (let at = 0; ; at = reader.at) {
    const step = reader.step(bytes, at);
    if (step === 'data') data += reader.data.toString('latin1');
    else if (step === 'more' || step === 'done') return { data, rest: text.slice(reader.at), done: step === 'done' };
    else return step;
  }
}

function readerOf(framing: Framing): BodyReader {
  const reader = new BodyReader(limits);
  reader.begin(framing);
  return reader;
}

const chunked = (): BodyReader => readerOf({ kind: 'chunked' });

describe('a body of known length', () => {
  test('ends after its bytes and leaves the next message alone', () => {
    const reader = readerOf({ kind: 'length', bytes: 5 });
    expect(outcome(reader, 'ab')).toEqual({ data: 'ab', rest: '', done: false });
    expect(outcome(reader, 'cdeGET')).toEqual({ data: 'cde', rest: 'GET', done: true });
    expect(outcome(reader, 'GET')).toEqual({ data: '', rest: 'GET', done: true });
  });

  test('none takes nothing; one until close takes all and never ends by itself', () => {
    expect(outcome(readerOf({ kind: 'none' }), 'GET')).toEqual({ data: '', rest: 'GET', done: true });
    const endless = readerOf({ kind: 'until-close' });
    expect(outcome(endless, 'abc')).toEqual({ data: 'abc', rest: '', done: false });
  });

  test('is passed on as views of what was read', () => {
    const bytes = bytesOf('abcdef');
    const reader = readerOf({ kind: 'length', bytes: 3 });
    expect(reader.step(bytes, 0)).toBe('data');
    expect(reader.data.toString()).toBe('abc');
    expect(reader.data.buffer).toBe(bytes.buffer);
  });
});

describe('a chunked body', () => {
  test.each([
    ['3\r\nabc\r\n0\r\n\r\n', 'abc'],
    ['3\r\nabc\r\n00a\r\n0123456789\r\n000\r\n\r\n', 'abc0123456789'],
    ['A\r\n0123456789\r\n0\r\n\r\n', '0123456789'],
    ['0000000000000001\r\na\r\n0\r\n\r\n', 'a'],
    ['1;a;b=c;d="x; \\" \\\\ y"\r\na\r\n0;e\r\n\r\n', 'a'],
    ['0\r\n\r\n', ''],
    ['0\r\nX-Sum: 1\r\n\r\n', ''],
  ])('%j holds %j, whatever follows it', (text, data) => {
    expect(outcome(chunked(), `${text}GET / HTTP/1.1`)).toEqual({ data, rest: 'GET / HTTP/1.1', done: true });
  });

  test.each([
    ['\r\n', 'bad-chunk-size'],
    [';a\r\n', 'bad-chunk-size'],
    ['0x5\r\nhello\r\n', 'bad-chunk-size'],
    ['+5\r\nhello\r\n', 'bad-chunk-size'],
    ['-5\r\nhello\r\n', 'bad-chunk-size'],
    ['5_0\r\n', 'bad-chunk-size'],
    [' 5\r\nhello\r\n', 'bad-chunk-size'],
    ['5 \r\nhello\r\n', 'bad-chunk-size'],
    ['g\r\n', 'bad-chunk-size'],
    ['5\nhello\r\n', 'bad-chunk-size'],
    ['5\r\rhello\r\n', 'bad-chunk-size'],
    ['00000000000000005\r\n', 'bad-chunk-size'],
    ['10000000000000005\r\n', 'chunk-too-large'],
    ['20000000000000\r\n', 'chunk-too-large'],
    ['ffffffffffffffff\r\n', 'chunk-too-large'],
    ['5;\r\nhello\r\n', 'bad-chunk-extension'],
    ['5; a\r\nhello\r\n', 'bad-chunk-extension'],
    ['5;a=\r\nhello\r\n', 'bad-chunk-extension'],
    ['5;a="b\r\nhello\r\n', 'bad-chunk-extension'],
    ['5;a="b"c\r\nhello\r\n', 'bad-chunk-extension'],
    ['5;a\nhello\r\n', 'bad-chunk-extension'],
    ['5;a\r\x00', 'bad-chunk-size'],
    ['5;a\x00\r\nhello\r\n', 'bad-chunk-extension'],
    [`5;${'a'.repeat(256)}\r\nhello\r\n`, 'chunk-extension-too-long'],
    ['5\r\nhello0\r\n\r\n', 'bad-chunk-end'],
    ['5\r\nhello\n0\r\n\r\n', 'bad-chunk-end'],
    ['5\r\nhello\r0\r\n\r\n', 'bad-chunk-end'],
    ['5\r\nhello!\r\n0\r\n\r\n', 'bad-chunk-end'],
    ['0\n\n', 'bad-chunk-size'],
    ['0\r\nX: a\nY: b\r\n\r\n', 'bad-trailer'],
    ['0\r\nX : a\r\n\r\n', 'bad-trailer'],
    ['0\r\n folded\r\n\r\n', 'bad-trailer'],
    ['0\r\nX\r\n\r\n', 'bad-trailer'],
    [`0\r\nX: ${'a'.repeat(1_024)}\r\n\r\n`, 'trailers-too-large'],
    [`0\r\n${'X: a\r\n'.repeat(9)}\r\n`, 'trailers-too-large'],
  ])('%j is refused: %s (A50)', (text, reason) => {
    const reader = chunked();
    expect(outcome(reader, text)).toBe(reason);
    expect(outcome(reader, '0\r\n\r\n')).toBe(reason); // and stays refused
  });

  test('an endless size line, extension or trailer section is refused before it has an end (A50)', () => {
    expect(outcome(chunked(), '0'.repeat(17))).toBe('bad-chunk-size');
    expect(outcome(chunked(), `1;${'a'.repeat(10_000)}`)).toBe('chunk-extension-too-long');
    expect(outcome(chunked(), `0\r\n${'X: aaaa\r\n'.repeat(150)}`)).toBe('trailers-too-large');
  });

  test('extensions of tiny chunks may not outgrow the body without bound (A50)', () => {
    const tiny = `1;${'a'.repeat(200)}\r\nx\r\n`;
    expect(outcome(chunked(), tiny.repeat(80))).toMatchObject({ done: false });
    expect(outcome(chunked(), tiny.repeat(90))).toBe('chunk-extension-too-long');
  });

  test.each([
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Host: b',
    'Authorization: Bearer x',
    'Connection: close',
    'Cookie: a=b',
    'Set-Cookie: a=b',
    'Content-Type: text/html',
    'X-Forwarded-Client-Cert: By=x',
    'x_forwarded_client_cert: By=x',
    'X-Eastwest-Anything: x',
    'Workload-Identity-Token: x',
  ])('the trailer %s is dropped, the others stay (A48, A50)', (line) => {
    const reader = chunked();
    expect(reader.step(bytesOf(`0\r\nGrpc-Status: 0\r\n${line}\r\n\r\n`), 0)).toBe('done');
    expect(reader.trailers).toEqual([{ name: 'grpc-status', rawName: 'Grpc-Status', value: '0' }]);
  });

  test.each(['Content_Length: 5', 'Transfer_Encoding: chunked'])('the trailer %s is refused', (line) => {
    expect(outcome(chunked(), `0\r\n${line}\r\n\r\n`)).toBe('bad-trailer');
  });
});

describe('one reader for body after body', () => {
  test('keeps nothing of the one before', () => {
    const reader = chunked();
    expect(outcome(reader, `1;${'a'.repeat(250)}\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n`)).toMatchObject({ done: true });
    expect(reader.trailers).toHaveLength(1);
    for (let again = 0; again < 100; again += 1) {
      reader.begin({ kind: 'chunked' });
      expect(outcome(reader, `1;${'a'.repeat(250)}\r\nx\r\n0\r\n\r\n`)).toMatchObject({ data: 'x', done: true });
      expect(reader.trailers).toEqual([]);
    }
    reader.begin({ kind: 'chunked' });
    expect(outcome(reader, 'nonsense')).toBe('bad-chunk-size');
    reader.begin({ kind: 'length', bytes: 2 });
    expect(outcome(reader, 'abc')).toEqual({ data: 'ab', rest: 'c', done: true });
  });
});

describe('a body written anew', () => {
  test('is chunks of the same data, with trailers or without', () => {
    const { a } = createMemoryPipes({ delivery: 'manual' });
    const writer = new BodyWriter(a);
    writer.begin('chunked');
    expect(writer.data(bytesOf('a'.repeat(26)))).toBe('go-on');
    expect(writer.data(Buffer.alloc(0))).toBe('go-on'); // an empty chunk would end the body
    expect(writer.end([headerField('X-Sum', '1')])).toBe('whole');
    const written = a.takeWritten().toString('latin1');
    expect(written).toBe(`1a\r\n${'a'.repeat(26)}\r\n0\r\nX-Sum: 1\r\n\r\n`);
    expect(writer.bytes).toBe(26);
    writer.begin('chunked');
    expect(writer.end([])).toBe('whole');
    expect(a.takeWritten().toString()).toBe('0\r\n\r\n');
    expect(outcome(chunked(), written)).toEqual({ data: 'a'.repeat(26), rest: '', done: true });
  });

  test('is never longer or shorter than was announced, whoever gives it (A50, A52)', () => {
    const { a } = createMemoryPipes({ delivery: 'manual' });
    const writer = new BodyWriter(a);
    writer.begin(3);
    expect(writer.data(bytesOf('ab'))).toBe('go-on');
    expect(writer.end([])).toBe('too-short');
    expect(writer.data(bytesOf('cd'))).toBe('too-long');
    expect(a.takeWritten().toString()).toBe('ab');
    writer.begin(Infinity);
    expect(writer.data(bytesOf('ab'))).toBe('go-on');
    expect(writer.end([headerField('X-Sum', '1')])).toBe('whole'); // nowhere for trailers to go
    expect(a.takeWritten().toString()).toBe('ab');
  });

  test('says when the pipe is full', () => {
    const { a } = createMemoryPipes({ delivery: 'manual', fullBytes: 10 });
    const writer = new BodyWriter(a);
    writer.begin('chunked');
    expect(writer.data(bytesOf('a'.repeat(26)))).toBe('wait');
  });
});
