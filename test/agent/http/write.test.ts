import { describe, expect, test } from 'vitest';
import { headerField } from '#agent/http/header-field.ts';
import { headProblemStatus, problemResponse, problemResponseToHead } from '#agent/http/problem.ts';
import { readRequestHead, readResponseHead } from '#agent/http/head.ts';
import { originForm } from '#agent/http/target.ts';
import { requestText } from '#agent/http/request-text.ts';
import { endToEndHeaders, writeResponseHead } from '#agent/http/write.ts';

const fields = (...lines: string[]) =>
  lines.map((line) => headerField(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()));

function kept(...lines: string[]): string[] | string {
  const result = endToEndHeaders(fields(...lines));
  return result.ok ? result.value.map((field) => `${field.rawName}: ${field.value}`) : result.reason;
}

describe('heads written anew', () => {
  test('are HTTP/1.1, one line per field, in the spelling that came', () => {
    const headers = fields('Host: a', 'X-Note: caf\xe9');
    const reading = readRequestHead(Buffer.from('GET /y HTTP/1.0\r\n\r\n'), { maxBytes: 100, maxHeaders: 1 });
    if (reading.kind !== 'complete') throw new Error('not a head');
    expect(requestText({ head: reading.head, target: '/x', headers, filterFields: (all) => all })).toBe(
      'GET /x HTTP/1.1\r\nHost: a\r\nX-Note: caf\xe9\r\n\r\n',
    );
    expect(writeResponseHead({ status: 204, reason: '' }, [])).toBe('HTTP/1.1 204 \r\n\r\n');
  });

  test.each([
    ['X', 'a\r\nY: b'],
    ['X', 'a\0'],
    ['X', 'a\u0100'],
    ['X Y', 'a'],
    ['', 'a'],
    ['X:', 'a'],
  ])('cannot hold a field %j with the value %j: making one throws (A62)', (name, value) => {
    expect(() => headerField(name, value)).toThrow(TypeError);
  });

  test.each([
    ['GET', '/a?b', 'origin', '/a?b'],
    ['GET', 'http://a:80/b?c', 'absolute', '/b?c'],
    ['GET', 'http://a', 'absolute', '/'],
    ['GET', 'http://a?b', 'absolute', '/?b'],
    ['OPTIONS', 'http://a', 'absolute', '*'],
    ['OPTIONS', '*', 'asterisk', '*'],
  ] as const)('%s %s (%s form) asks the app for %s', (method, target, form, expected) => {
    expect(originForm({ method, target, form })).toBe(expected);
  });
});

describe('end-to-end headers', () => {
  test('are what is left without hop-by-hop and framing fields, in order', () => {
    const gone = [
      'Connection: keep-alive, X-Hop',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: close',
      'Proxy-Authorization: Basic x',
      'Proxy-Authenticate: Basic',
      'TE: trailers',
      'Transfer-Encoding: chunked',
      'Content-Length: 5',
      'Upgrade: h2c',
      'x-hop: y',
    ];
    expect(kept('A: 1', ...gone, 'Trailer: X-Sum', 'B: 2')).toEqual(['A: 1', 'Trailer: X-Sum', 'B: 2']);
  });

  test.each([
    'x-forwarded-client-cert',
    'X_Forwarded_Client_Cert',
    'x-mesh-identity',
    'x-eastwest-decision',
    'authorization',
    'Authorization, close',
    'close, HOST',
    'cookie',
    'content-length',
    'transfer-encoding',
    'content-type',
    'connection',
  ])('a Connection field that lists %s is refused (A49)', (listed) => {
    expect(kept('Host: a', `Connection: ${listed}`)).toBe('protected-header-in-connection');
  });

  test('a Connection field may list what is about the connection (A49)', () => {
    expect(kept('Connection: close, te', 'Connection: Upgrade, HTTP2-Settings', 'TE: x', 'http2-settings: x')).toEqual(
      [],
    );
  });
});

describe('an answer of ours', () => {
  const problem = { status: 403, title: 'Forb"idden', decisionId: 'd1' };

  test('is problem+json after which the connection closes', () => {
    const bytes = problemResponse(problem);
    const reading = readResponseHead(bytes, { maxBytes: 1_024, maxHeaders: 9 }, 'GET');
    if (reading.kind !== 'complete') throw new Error('unreadable');
    expect(reading.head).toMatchObject({ status: 403, reason: 'Forbidden', keepAlive: false });
    const content = bytes.subarray(reading.end);
    expect(reading.head.framing).toEqual({ kind: 'length', bytes: content.length });
    expect(JSON.parse(content.toString())).toEqual(problem);
  });

  test('to HEAD is the same head without the content', () => {
    const whole = problemResponse(problem).toString();
    expect(problemResponseToHead(problem).toString()).toBe(whole.slice(0, whole.indexOf('{')));
  });

  test.each([
    ['too-many-headers', 431],
    ['head-too-large', 431],
    ['unsupported-version', 505],
    ['unknown-method', 501],
    ['obs-fold', 400],
  ] as const)('to a head refused as %s has status %i (A55)', (reason, status) => {
    expect(headProblemStatus(reason)).toBe(status);
  });
});
