import { describe, expect, test } from 'vitest';
import { readRequestHead, readResponseHead, type HeadReading, type RequestHead } from '#agent/http/head.ts';

const limits = { maxBytes: 8_192, maxHeaders: 100 };

function request(...lines: string[]): HeadReading<RequestHead> {
  return readRequestHead(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), limits);
}

const outcome = (reading: HeadReading<unknown>): string => (reading.kind === 'refused' ? reading.reason : reading.kind);

describe('a request head', () => {
  test('is read into method, target, headers and where the body ends', () => {
    const bytes = Buffer.from(
      'POST /a?b=c HTTP/1.1\r\nHost: Shop:80\r\nX-Note: \t caf\xe9 \r\nContent-Length: 3\r\n\r\nabc',
      'latin1',
    );
    expect(readRequestHead(bytes, limits)).toEqual({
      kind: 'complete',
      end: bytes.length - 3,
      head: {
        method: 'POST',
        target: '/a?b=c',
        form: 'origin',
        version: '1.1',
        host: 'shop:80',
        headers: [
          { name: 'host', rawName: 'Host', value: 'Shop:80' },
          { name: 'x-note', rawName: 'X-Note', value: 'caf\xe9' },
          { name: 'content-length', rawName: 'Content-Length', value: '3' },
        ],
        framing: { kind: 'length', bytes: 3 },
        keepAlive: true,
        upgrade: undefined,
        expectContinue: false,
      },
    });
  });

  test('may come after one empty line, not after two (RFC 9112, section 2.2)', () => {
    const head = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    expect(readRequestHead(Buffer.from(`\r\n${head}`), limits)).toMatchObject({
      kind: 'complete',
      end: head.length + 2,
    });
    expect(outcome(readRequestHead(Buffer.from(`\r\n\r\n${head}`), limits))).toBe('bad-request-line');
  });

  test.each([
    ['GET / HTTP/1.1', 'complete'],
    ['get / HTTP/1.1', 'complete'], // methods are case-sensitive; which ones are allowed is policy
    ['M-SEARCH / HTTP/1.1', 'complete'],
    ['OPTIONS * HTTP/1.1', 'complete'],
    ['GET /%7Ea;b=1?x[]=|{}"^` HTTP/1.1', 'complete'],
    ['GET http://a/x HTTP/1.1', 'complete'],
    ['GET HTTP://A/x HTTP/1.1', 'complete'],
    ['GET http://a:80 HTTP/1.1', 'complete'],
    ['GET https://a:443?x HTTP/1.1', 'complete'],
    ['CONNECT a:443 HTTP/1.1', 'complete'],
    ['GET / HTTP/1.0', 'complete'],
    ['GET / HTTP/1.2', 'unsupported-version'],
    ['GET / HTTP/2.0', 'unsupported-version'],
    ['GET / HTTP/0.9', 'unsupported-version'],
    ['GET / HTTP/1.10', 'bad-request-line'],
    ['GET / HTTP/01.1', 'bad-request-line'],
    ['GET / http/1.1', 'bad-request-line'],
    ['GET / HTTP/1.1 ', 'bad-request-line'],
    ['GET / HTTP/1.1\rX: y', 'bare-carriage-return'],
    ['GET / HTTP/1.1\nX: y', 'bare-line-feed'],
    ['GET / ', 'bad-request-line'],
    ['GET /', 'bad-target'],
    ['GET', 'bad-request-line'],
    ['GET  / HTTP/1.1', 'bad-request-line'],
    ['GET\t/ HTTP/1.1', 'bad-request-line'],
    [' GET / HTTP/1.1', 'bad-request-line'],
    ['G(T / HTTP/1.1', 'bad-request-line'],
    ['\x16\x03\x01', 'bad-request-line'], // somebody speaks TLS
    ['GET /a b HTTP/1.1', 'bad-request-line'],
    ['GET /a#b HTTP/1.1', 'bad-target'],
    ['GET /caf\xe9 HTTP/1.1', 'bad-target'],
    ['GET /\x00 HTTP/1.1', 'bad-target'],
    ['GET /\x7f HTTP/1.1', 'bad-target'],
    ['GET * HTTP/1.1', 'bad-target'],
    ['GET a HTTP/1.1', 'bad-target'],
    ['GET ftp://a/ HTTP/1.1', 'bad-target'],
    ['GET http:///x HTTP/1.1', 'bad-target'],
    ['GET http://u@a/ HTTP/1.1', 'bad-target'],
    ['GET a:443 HTTP/1.1', 'bad-target'],
    ['CONNECT / HTTP/1.1', 'bad-target'],
    ['CONNECT a HTTP/1.1', 'bad-target'],
    ['CONNECT a:0 HTTP/1.1', 'bad-target'],
    ['CONNECT http://a:443/ HTTP/1.1', 'bad-target'],
    ['ANNOUNCE / HTTP/1.1', 'unknown-method'],
    ['PRI * HTTP/2.0', 'unsupported-version'],
    ['PRI * HTTP/1.1', 'unknown-method'],
  ])('that begins %j is %s', (line, expected) => {
    expect(outcome(request(line, 'Host: a'))).toBe(expected);
  });

  test.each([
    ['X-A: b', 'complete'],
    ['X-A:', 'complete'],
    ['x_a: "quoted\tvalue" \x80\xff', 'complete'],
    ['X-A : b', 'space-before-colon'],
    ['X-A\t: b', 'space-before-colon'],
    [' X-A: b', 'obs-fold'],
    ['\tfolded', 'obs-fold'],
    ['X-A', 'bad-header-name'],
    [': b', 'bad-header-name'],
    ['X(A): b', 'bad-header-name'],
    ['X\xe9: b', 'bad-header-name'],
    ['X\x00: b', 'bad-header-name'],
    ['X-A: b\x00', 'bad-header-value'],
    ['X-A: b\x0bc', 'bad-header-value'],
    ['X-A: b\x1b[31m', 'bad-header-value'],
    ['X-A: b\x7f', 'bad-header-value'],
    ['X-A: b\rX-B: c', 'bare-carriage-return'],
    ['X-A: b\r', 'bare-carriage-return'],
    ['X-A\rX-B: c', 'bare-carriage-return'],
    ['X-A: b\nX-B: c', 'bare-line-feed'],
    ['X-A: b\n', 'bare-line-feed'],
    ['Content_Length: 5', 'bad-header-name'],
    ['Transfer.Encoding: chunked', 'bad-header-name'],
  ])('with the line %j is %s (A50, A74)', (line, expected) => {
    expect(outcome(request('GET / HTTP/1.1', 'Host: a', line))).toBe(expected);
  });

  test.each([
    [['Host: a'], 'complete'],
    [['hOsT:a.b-c_d.1:65535'], 'complete'],
    [['Host: 10.0.0.1:80'], 'complete'],
    [['Host: [::1]:8080'], 'complete'],
    [[], 'missing-host'],
    [['Host: a', 'Host: a'], 'several-hosts'],
    [['Host: a', 'host: b'], 'several-hosts'],
    [['Host:'], 'bad-host'],
    [['Host: user@a'], 'bad-host'],
    [['Host: a, b'], 'bad-host'],
    [['Host: a/b'], 'bad-host'],
    [['Host: a:'], 'bad-host'],
    [['Host: a:0'], 'bad-host'],
    [['Host: a:080'], 'bad-host'],
    [['Host: a:65536'], 'bad-host'],
    [['Host: a:8a'], 'bad-host'],
    [['Host: a:80:80'], 'bad-host'],
    [['Host: :80'], 'bad-host'],
    [['Host: b\xfccher'], 'bad-host'],
    [['Host: a%20b'], 'bad-host'],
    [['Host: [::1'], 'bad-host'],
    [['Host: [::1%25lo]'], 'bad-host'],
    [['Host: [::zz]'], 'bad-host'],
    [['Host: ::1'], 'bad-host'],
    [[`Host: ${'a'.repeat(254)}`], 'bad-host'],
  ])('with %j is %s (A51)', (lines, expected) => {
    expect(outcome(request('GET / HTTP/1.1', ...lines))).toBe(expected);
  });

  test.each([
    ['GET http://a/ HTTP/1.1', 'Host: a', 'complete'],
    ['GET http://a/ HTTP/1.1', 'Host: A:80', 'complete'],
    ['GET http://a:80/ HTTP/1.1', 'Host: a', 'complete'],
    ['GET http://a:8080/ HTTP/1.1', 'Host: a:8080', 'complete'],
    ['GET http://a/ HTTP/1.1', 'Host: b', 'host-mismatch'],
    ['GET http://a/ HTTP/1.1', 'Host: a:443', 'host-mismatch'],
    ['GET http://a:8080/ HTTP/1.1', 'Host: a', 'host-mismatch'],
    ['CONNECT a:443 HTTP/1.1', 'Host: a:443', 'complete'],
    ['CONNECT a:443 HTTP/1.1', 'Host: a', 'complete'],
    ['CONNECT a:443 HTTP/1.1', 'Host: b:443', 'host-mismatch'],
    ['CONNECT a:443 HTTP/1.1', 'Host: a:80', 'host-mismatch'],
  ])('%s with %s is %s (A51)', (line, host, expected) => {
    expect(outcome(request(line, host))).toBe(expected);
  });

  test('takes the host from the target before the Host field, and needs none on 1.0', () => {
    expect(request('GET http://Shop:80/x HTTP/1.1', 'Host: shop')).toMatchObject({
      head: { host: 'shop:80', form: 'absolute' },
    });
    expect(request('CONNECT a:443 HTTP/1.0')).toMatchObject({ head: { host: 'a:443', form: 'authority' } });
    expect(request('GET / HTTP/1.0')).toMatchObject({ head: { host: '', keepAlive: false } });
  });

  const chunked = 'Transfer-Encoding: chunked';
  test.each<[string, string[], unknown]>([
    ['POST / HTTP/1.1', [], { kind: 'none' }],
    ['POST / HTTP/1.1', ['Content-Length: 0'], { kind: 'length', bytes: 0 }],
    ['POST / HTTP/1.1', ['Content-Length: 9007199254740991'], { kind: 'length', bytes: Number.MAX_SAFE_INTEGER }],
    ['POST / HTTP/1.1', ['transfer-encoding:  CHUNKED\t'], { kind: 'chunked' }],
    ['GET / HTTP/1.1', ['Content-Length: 0'], { kind: 'length', bytes: 0 }],
    ['DELETE / HTTP/1.1', ['Content-Length: 2'], { kind: 'length', bytes: 2 }],
    ['POST / HTTP/1.1', ['Content-Length: 9007199254740992'], 'bad-content-length'],
    ['POST / HTTP/1.1', ['Content-Length: 9223372036854775808'], 'bad-content-length'],
    ['POST / HTTP/1.1', ['Content-Length: +5'], 'bad-content-length'],
    ['POST / HTTP/1.1', ['Content-Length: -5'], 'bad-content-length'],
    ['POST / HTTP/1.1', ['Content-Length: 0x5'], 'bad-content-length'],
    ['POST / HTTP/1.1', ['Content-Length: 5.0'], 'bad-content-length'],
    ['POST / HTTP/1.1', ['Content-Length: 5 5'], 'bad-content-length'],
    ['POST / HTTP/1.1', ['Content-Length: 5,5'], 'bad-content-length'],
    ['POST / HTTP/1.1', ['Content-Length: \xb2'], 'bad-content-length'],
    ['POST / HTTP/1.1', ['Content-Length:'], 'bad-content-length'],
    ['POST / HTTP/1.1', ['Content-Length: 5', 'Content-Length: 5'], 'several-content-lengths'],
    ['POST / HTTP/1.1', ['Content-Length: 5', 'content-length: 6'], 'several-content-lengths'],
    ['POST / HTTP/1.1', ['Content-Length: 5', chunked], 'length-and-transfer-encoding'],
    ['POST / HTTP/1.1', [chunked, 'Content-Length: 5'], 'length-and-transfer-encoding'],
    ['POST / HTTP/1.0', [chunked], 'transfer-encoding-on-http10'],
    ['POST / HTTP/1.1', [chunked, chunked], 'bad-transfer-encoding'],
    ['POST / HTTP/1.1', ['Transfer-Encoding: gzip, chunked'], 'bad-transfer-encoding'],
    ['POST / HTTP/1.1', ['Transfer-Encoding: chunked, identity'], 'bad-transfer-encoding'],
    ['POST / HTTP/1.1', ['Transfer-Encoding: identity'], 'bad-transfer-encoding'],
    ['POST / HTTP/1.1', ['Transfer-Encoding: "chunked"'], 'bad-transfer-encoding'],
    ['POST / HTTP/1.1', ['Transfer-Encoding: chunked;q=1'], 'bad-transfer-encoding'],
    ['POST / HTTP/1.1', ['Transfer-Encoding: ,chunked'], 'bad-transfer-encoding'],
    ['POST / HTTP/1.1', ['Transfer-Encoding: xchunked'], 'bad-transfer-encoding'],
    ['POST / HTTP/1.1', ['Transfer-Encoding:\x0bchunked'], 'bad-header-value'],
    ['POST / HTTP/1.1', ['Transfer-Encoding: chunked\xa0'], 'bad-transfer-encoding'],
    ['POST / HTTP/1.1', ['Transfer-Encoding: chun\u017fed'.replace('\u017f', '\xdf')], 'bad-transfer-encoding'],
    ['POST / HTTP/1.1', ['Transfer-Encoding:'], 'bad-transfer-encoding'],
    ['GET / HTTP/1.1', ['Content-Length: 5'], 'unexpected-body'],
    ['HEAD / HTTP/1.1', [chunked], 'unexpected-body'],
    ['CONNECT a:1 HTTP/1.1', ['Content-Length: 0'], 'unexpected-body'],
    ['TRACE / HTTP/1.1', ['Content-Length: 5'], 'unexpected-body'],
    ['CONNECT a:1 HTTP/1.1', [chunked], 'unexpected-body'],
  ])('%s with %j is framed as %j (A50)', (line, lines, expected) => {
    const reading = request(line, 'Host: a', ...lines);
    expect(reading.kind === 'complete' ? reading.head.framing : outcome(reading)).toEqual(expected);
  });

  test.each([
    ['1.1', [], true],
    ['1.1', ['Connection: close'], false],
    ['1.1', ['Connection: x, Close'], false],
    ['1.1', ['Connection: keep-alive', 'Connection: close'], false],
    ['1.0', [], false],
    ['1.0', ['Connection: Keep-Alive'], true],
    ['1.0', ['Connection: keep-alive, close'], false],
  ])('on %s with %j leaves the connection open: %s', (version, lines, keepAlive) => {
    expect(request(`GET / HTTP/${version}`, 'Host: a', ...lines)).toMatchObject({ head: { keepAlive } });
  });

  test.each([
    ['GET / HTTP/1.1', ['Connection: Upgrade', 'Upgrade: WebSocket'], 'websocket'],
    ['GET / HTTP/1.1', ['Connection: keep-alive, upgrade', 'Upgrade: TLS/1.0'], 'tls/1.0'],
    ['GET / HTTP/1.1', ['Upgrade: websocket'], undefined],
    ['GET / HTTP/1.1', ['Connection: upgrade'], undefined],
    ['GET / HTTP/1.1', ['Connection: upgrade', 'Upgrade: websocket, h2c'], undefined],
    ['GET / HTTP/1.1', ['Connection: upgrade', 'Upgrade: websocket', 'Upgrade: h2c'], undefined],
    ['GET / HTTP/1.0', ['Connection: upgrade', 'Upgrade: websocket'], undefined],
    ['POST / HTTP/1.1', ['Connection: upgrade', 'Upgrade: h2c', 'Content-Length: 2'], undefined],
  ])('%s with %j offers the upgrade %s', (line, lines, upgrade) => {
    expect(request(line, 'Host: a', ...lines)).toMatchObject({ head: { upgrade } });
  });

  test('waits for 100 only with a body and on 1.1', () => {
    const expects = (line: string, ...lines: string[]) => request(line, 'Host: a', 'Expect: 100-Continue', ...lines);
    expect(expects('POST / HTTP/1.1', 'Content-Length: 5')).toMatchObject({ head: { expectContinue: true } });
    expect(expects('GET / HTTP/1.1')).toMatchObject({ head: { expectContinue: false } });
    expect(expects('POST / HTTP/1.0', 'Content-Length: 5')).toMatchObject({ head: { expectContinue: false } });
  });
});

describe('limits', () => {
  test.each([
    [100, 'complete'],
    [101, 'too-many-headers'],
  ])('%i headers of at most 100: %s, none is dropped in silence (A55)', (count, expected) => {
    const lines = Array.from({ length: count - 1 }, (_, at) => `X-${at}: y`);
    const reading = request('GET / HTTP/1.1', 'Host: a', ...lines);
    expect(outcome(reading)).toBe(expected);
    if (reading.kind === 'complete') expect(reading.head.headers).toHaveLength(100);
  });

  test('a head may have exactly the bytes allowed, not one more, finished or not', () => {
    const head = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(100)}\r\n\r\n`);
    const read = (bytes: Buffer, maxBytes: number) => outcome(readRequestHead(bytes, { maxBytes, maxHeaders: 9 }));
    expect(read(head, head.length)).toBe('complete');
    expect(read(head, head.length - 1)).toBe('head-too-large');
    expect(read(head.subarray(0, 50), 51)).toBe('incomplete');
    expect(read(head.subarray(0, 50), 50)).toBe('head-too-large');
    expect(read(Buffer.concat([head, Buffer.alloc(9_000)]), head.length)).toBe('complete'); // a body does not count
  });

  test('what can no longer become a head is refused before its end', () => {
    expect(outcome(readRequestHead(Buffer.from([0x16, 3, 1]), limits))).toBe('bad-request-line');
    expect(outcome(readRequestHead(Buffer.from('GET / HTTP/1.1\nHost'), limits))).toBe('bare-line-feed');
    expect(outcome(readResponseHead(Buffer.from('SSH-2.0-'), limits, 'GET'))).toBe('bad-status-line');
    expect(outcome(readRequestHead(Buffer.alloc(0), limits))).toBe('incomplete');
  });
});
