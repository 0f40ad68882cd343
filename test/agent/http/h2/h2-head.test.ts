import { describe, expect, test } from 'vitest';
import type { Ending } from '#agent/http/h2/h2-head.ts';
import { isMalformed, readRequestFields, readResponseFields } from '#agent/http/h2/h2-head.ts';
import type { HeaderField } from '#agent/http/header-field.ts';
import { fieldsOf } from './fields-of.ts';

const limits = { maxBytes: 65_536, maxHeaders: 20 };
const get = ':method: GET|:scheme: http|:authority: shop.test|:path: /prices?day=1';
const post = ':method: POST|:scheme: http|:authority: shop.test|:path: /orders';

function read(text: string, ending: Ending = 'with-head') {
  return readRequestFields(fieldsOf(text), ending, limits);
}

describe('a request in HTTP/2', () => {
  test('is read into the same head as one in HTTP/1.1', () => {
    expect(read(`${get}|accept: */*`)).toEqual({
      method: 'GET',
      target: '/prices?day=1',
      form: 'origin',
      version: '2',
      host: 'shop.test',
      headers: fieldsOf('accept: */*'),
      framing: { kind: 'none' },
      keepAlive: true,
      upgrade: undefined,
      expectContinue: false,
    });
  });

  test.each([
    ['no content', `${post}`, 'with-head', { kind: 'none' }],
    ['no content, and it says so', `${post}|content-length: 0`, 'with-head', { kind: 'length', bytes: 0 }],
    ['content of a length', `${post}|content-length: 17`, 'later', { kind: 'length', bytes: 17 }],
    ['content of unknown length', `${post}`, 'later', { kind: 'chunked' }],
  ] as const)('with %s is framed so', (_what, text, ending, framing) => {
    expect(read(text, ending)).toMatchObject({ framing });
  });

  test('waits for 100 only where content follows', () => {
    expect(read(`${post}|expect: 100-continue`, 'later')).toMatchObject({ expectContinue: true });
    expect(read(`${post}|expect: 100-continue`)).toMatchObject({ expectContinue: false });
  });

  test('has one cookie field, however many crumbs came', () => {
    const head = read(`${get}|cookie: a=1|accept: */*|cookie: b=2|cookie: c=3`);
    expect(head).toMatchObject({ headers: fieldsOf('cookie: a=1; b=2; c=3|accept: */*') });
  });

  test('may name its host in Host, or in both alike', () => {
    const bare = ':method: GET|:scheme: https|:path: /';
    expect(read(`${bare}|host: Shop.test`)).toMatchObject({ host: 'shop.test' });
    expect(read(`${bare}|:authority: Shop.test`)).toMatchObject({ host: 'shop.test' });
    expect(read(`:method: GET|:scheme: https|:authority: shop.test|:path: /|host: SHOP.test:443`)).toMatchObject({
      host: 'shop.test',
    });
  });

  const answered = 'answered';
  const reset = 'reset';
  test.each([
    // A51: whom it is for
    [answered, 'missing-host', ':method: GET|:scheme: http|:path: /'],
    [answered, 'bad-host', ':method: GET|:scheme: http|:authority: |:path: /'],
    [answered, 'bad-host', ':method: GET|:scheme: http|:authority: user@shop.test|:path: /'],
    [answered, 'bad-host', ':method: GET|:scheme: http|:authority: shop.test:0|:path: /'],
    [answered, 'bad-host', ':method: GET|:scheme: http|:authority: shöp.test|:path: /'],
    [answered, 'bad-host', `${get}|host: user@shop.test`],
    [answered, 'host-mismatch', `${get}|host: other.test`],
    [answered, 'host-mismatch', `${get}|host: shop.test:443`],
    [answered, 'several-hosts', `${get}|host: shop.test|host: shop.test`],
    // A52: what would become another message in HTTP/1.1
    [reset, 'bad-request-line', ':method: GET|:scheme: http|:authority: a'],
    [reset, 'bad-request-line', ':scheme: http|:authority: a|:path: /'],
    [reset, 'bad-request-line', ':method: GET|:authority: a|:path: /'],
    [reset, 'bad-request-line', ':method: GET|:method: PUT|:scheme: http|:authority: a|:path: /'],
    [reset, 'bad-request-line', ':method: GET|:scheme: http|:authority: a|:path: /|:path: /b'],
    [reset, 'bad-request-line', ':method: GET|:scheme: http|:authority: a|:path: /|:protocol: websocket'],
    [reset, 'bad-request-line', ':method: GE T|:scheme: http|:authority: a|:path: /'],
    [reset, 'bad-request-line', ':method: |:scheme: http|:authority: a|:path: /'],
    [reset, 'bad-request-line', ':method: GET|:scheme: http|:authority: a|accept: b|:path: /'],
    [reset, 'bad-header-name', ':method: GET|:scheme: http|:authority: a|:path: /|accept: b|:path: /b'],
    [reset, 'bad-target', ':method: GET|:scheme: http|:authority: a|:path: '],
    [reset, 'bad-target', ':method: GET|:scheme: http|:authority: a|:path: /a b'],
    [reset, 'bad-target', ':method: GET|:scheme: http|:authority: a|:path: /a\r\nx: y'],
    [reset, 'bad-target', ':method: GET|:scheme: http|:authority: a|:path: /a#b'],
    [reset, 'bad-target', ':method: GET|:scheme: http|:authority: a|:path: http://b/'],
    [reset, 'bad-target', ':method: GET|:scheme: http|:authority: a|:path: *'],
    [reset, 'bad-target', ':method: GET|:scheme: ftp|:authority: a|:path: /'],
    [reset, 'bad-header-name', `${post}|transfer-encoding: chunked`],
    [reset, 'bad-header-name', `${get}|connection: close`],
    [reset, 'bad-header-name', `${get}|upgrade: websocket`],
    [reset, 'bad-header-name', `${get}|keep-alive: timeout=5`],
    [reset, 'bad-header-name', `${get}|proxy-connection: close`],
    [reset, 'bad-header-value', `${get}|te: gzip`],
    [reset, 'several-content-lengths', `${post}|content-length: 1|content-length: 1`],
    [reset, 'bad-content-length', `${post}|content-length: +1`],
    [reset, 'bad-content-length', `${post}|content-length: 9007199254740992`],
    [reset, 'bad-content-length', `${post}|content-length: 5`],
    // as in HTTP/1.1
    [answered, 'unknown-method', ':method: PRI|:scheme: http|:authority: a|:path: /'],
    [answered, 'unexpected-body', `${get}|content-length: 5`],
    [answered, 'too-many-headers', `${get}${'|a: b'.repeat(21)}`],
  ])('is %s for %s: %s', (how, reason, text) => {
    const refusal = read(text);
    expect(refusal).toBe(reason);
    expect(isMalformed(reason as Parameters<typeof isMalformed>[0]) ? reset : answered).toBe(how);
  });
});

describe('an answer in HTTP/2', () => {
  test.each<[string, string, Ending, object]>([
    ['that ends with its head has length 0', 'GET :status: 200', 'with-head', { kind: 'length', bytes: 0 }],
    ['may say its length', 'GET :status: 200|content-length: 5', 'later', { kind: 'length', bytes: 5 }],
    ['may keep its length to itself', 'GET :status: 200', 'later', { kind: 'chunked' }],
    ['to HEAD has no content', 'HEAD :status: 200|content-length: 5', 'with-head', { kind: 'none' }],
    ['304 has no content', 'GET :status: 304|content-length: 5', 'with-head', { kind: 'none' }],
    ['204 has no content', 'GET :status: 204', 'with-head', { kind: 'none' }],
    ['103 comes before the answer', 'GET :status: 103|link: </a.css>', 'later', { kind: 'none' }],
  ])('%s', (_what, text, ending, framing) => {
    const [method = '', fields = ''] = text.split(/ (.*)/);
    const head = readResponseFields(fieldsOf(fields), ending, method);
    expect(head).toMatchObject({ framing, version: '2' });
  });

  test('has the reason that HTTP/1.1 knows for its status, for readers that stumble over an empty one', () => {
    const reasonOf = (status: number): unknown => readResponseFields(fieldsOf(`:status: ${status}`), 'later', 'GET');
    expect(reasonOf(200)).toMatchObject({ reason: 'OK' });
    expect(reasonOf(503)).toMatchObject({ reason: 'Service Unavailable' });
    expect(reasonOf(599)).toMatchObject({ reason: '' });
  });

  test.each<[string, string, Ending]>([
    ['bad-status-line', 'server: x', 'with-head'],
    ['bad-status-line', ':status: 1000', 'with-head'],
    ['bad-status-line', ':status: 099', 'with-head'],
    ['bad-status-line', ':status: 200|:status: 200', 'with-head'],
    ['bad-status-line', ':status: 100', 'with-head'],
    ['bad-header-name', ':status: 200|transfer-encoding: chunked', 'later'],
    ['bad-header-name', ':status: 200|connection: close', 'later'],
    ['several-content-lengths', ':status: 200|content-length: 5|content-length: 5', 'later'],
    ['bad-content-length', ':status: 200|content-length: 5', 'with-head'],
    ['bad-content-length', ':status: 200|content-length: 9223372036854775807', 'later'],
    ['unexpected-body', ':status: 204|content-length: 5', 'later'],
  ])('is refused for %s: %s (A62, A79)', (reason, text, ending) => {
    expect(readResponseFields(fieldsOf(text), ending, 'GET')).toBe(reason);
  });
});

test('fields keep their order and their objects, which callers repeat', () => {
  const fields: readonly HeaderField[] = fieldsOf(`${get}|accept: */*|x-a: 1`);
  const head = readRequestFields(fields, 'with-head', limits);
  expect(typeof head === 'object' && head.headers[1] === fields[5]).toBe(true);
});
