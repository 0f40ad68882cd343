import { describe, expect, test } from 'vitest';
import { readResponseHead, type HeadReading, type ResponseHead } from '#agent/http/head.ts';

const limits = { maxBytes: 8_192, maxHeaders: 100 };

function response(method: string, ...lines: string[]): HeadReading<ResponseHead> {
  return readResponseHead(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), limits, method);
}

const outcome = (reading: HeadReading<unknown>): string => (reading.kind === 'refused' ? reading.reason : reading.kind);

describe('a response head', () => {
  test('is read into status, reason and headers', () => {
    expect(response('GET', 'HTTP/1.1 200 All \xe4good', 'Keep-Alive: max=3, timeout=5', 'Content-Length: 2')).toEqual({
      kind: 'complete',
      end: 75,
      head: {
        status: 200,
        reason: 'All \xe4good',
        version: '1.1',
        headers: [
          { name: 'keep-alive', rawName: 'Keep-Alive', value: 'max=3, timeout=5' },
          { name: 'content-length', rawName: 'Content-Length', value: '2' },
        ],
        framing: { kind: 'length', bytes: 2 },
        keepAlive: true,
        upgrade: undefined,
        keepAliveTimeoutSeconds: 5,
      },
    });
  });

  test.each([
    ['HTTP/1.1 200 ', 'complete'],
    ['HTTP/1.1 200', 'complete'],
    ['HTTP/1.0 599 x', 'complete'],
    ['HTTP/1.1 1000 x', 'bad-status-line'],
    ['HTTP/1.1 600 x', 'bad-status-line'],
    ['HTTP/1.1 099 x', 'bad-status-line'],
    ['HTTP/1.1 20 x', 'bad-status-line'],
    ['HTTP/1.1 2e1 x', 'bad-status-line'],
    ['HTTP/1.1  200 x', 'bad-status-line'],
    ['HTTP/1.1\t200 x', 'bad-status-line'],
    ['HTTP/1.1', 'bad-status-line'],
    ['HTTP/1.1 200 a\x00b', 'bad-status-line'],
    ['HTTP/1.1 200 a\rX: y', 'bare-carriage-return'],
    ['HTTP/1.1 200 a\nX: y', 'bare-line-feed'],
    ['HTTP/2.0 200 x', 'unsupported-version'],
    ['HTTP/1.01 200 x', 'bad-status-line'],
    ['ICY 200 OK', 'bad-status-line'],
    ['\r\nHTTP/1.1 200 x', 'bad-status-line'],
  ])('that begins %j is %s (A62, A79)', (line, expected) => {
    expect(outcome(response('GET', line, 'Content-Length: 0'))).toBe(expected);
  });

  const chunked = 'Transfer-Encoding: chunked';
  test.each<[string, string, string[], unknown]>([
    ['GET', '200', [], { kind: 'until-close' }],
    ['GET', '200', ['Content-Length: 9007199254740991'], { kind: 'length', bytes: Number.MAX_SAFE_INTEGER }],
    ['GET', '200', [chunked], { kind: 'chunked' }],
    ['HEAD', '200', [], { kind: 'none' }],
    ['HEAD', '200', ['Content-Length: 5'], { kind: 'none' }],
    ['HEAD', '200', [chunked], { kind: 'none' }],
    ['GET', '204', [], { kind: 'none' }],
    ['GET', '204', ['Content-Length: 0'], { kind: 'none' }],
    ['GET', '304', ['Content-Length: 5'], { kind: 'none' }],
    ['GET', '100', [], { kind: 'none' }],
    ['GET', '103', ['Link: </a>'], { kind: 'none' }],
    ['CONNECT', '200', [], { kind: 'none' }],
    ['CONNECT', '407', ['Content-Length: 5'], { kind: 'length', bytes: 5 }],
    ['GET', '200', ['Content-Length: 9223372036854775807'], 'bad-content-length'],
    ['GET', '200', ['Content-Length: 5', 'Content-Length: 5'], 'several-content-lengths'],
    ['GET', '200', ['Content-Length: 5', chunked], 'length-and-transfer-encoding'],
    ['GET', '200', ['Transfer-Encoding: gzip'], 'bad-transfer-encoding'],
    ['HEAD', '200', ['Content-Length: five'], 'bad-content-length'],
    ['GET', '204', [chunked], 'unexpected-body'],
    ['GET', '204', ['Content-Length: 5'], 'unexpected-body'],
    ['GET', '304', [chunked], 'unexpected-body'],
    ['GET', '101', [chunked], 'unexpected-body'],
    ['GET', '103', ['Content-Length: 5'], 'unexpected-body'],
  ])('to %s with status %s and %j is framed as %j (A62, A79)', (method, status, lines, expected) => {
    const reading = response(method, `HTTP/1.1 ${status} x`, ...lines);
    expect(reading.kind === 'complete' ? reading.head.framing : outcome(reading)).toEqual(expected);
  });

  test.each([
    ['1.1', ['Content-Length: 0'], true],
    ['1.1', ['Content-Length: 0', 'Connection: close'], false],
    ['1.1', [], false], // its end is the connection's end
    ['1.0', ['Content-Length: 0'], false],
    ['1.0', ['Content-Length: 0', 'Connection: keep-alive'], true],
  ])('on %s with %j leaves the connection open: %s', (version, lines, keepAlive) => {
    expect(response('GET', `HTTP/${version} 200 x`, ...lines)).toMatchObject({ head: { keepAlive } });
  });

  test.each([
    ['timeout=5', 5],
    ['timeout=5, max=100', 5],
    ['max=100, Timeout=60', 60],
    ['xtimeout=5', undefined],
    ['timeout=-1', undefined],
    ['timeout=99999999999', undefined],
  ])('with Keep-Alive: %s closes an idle connection after %s seconds', (value, keepAliveTimeoutSeconds) => {
    expect(response('GET', 'HTTP/1.1 204 x', `Keep-Alive: ${value}`)).toMatchObject({
      head: { keepAliveTimeoutSeconds },
    });
  });
});
